// The vendored SDK is a script that sets a global, as its own types say only for the module.
declare module "*/vendor/centrifuge.js";
interface Window { Centrifuge: any }
declare var Centrifuge: any;
