/* The scopes that a key can have; the API refuses any other. */

const AREAS = ["agents", "integrations", "knowledge", "calls", "billing", "realtime", "webhooks", "members", "organizations"];

export const SCOPES = [...AREAS.flatMap((area) => [`${area}:read`, `${area}:write`]), "audit:read"];
