// The rules of the console's modules. Style is not among them.
import js from "@eslint/js";
import hooks from "eslint-plugin-react-hooks";
import globals from "globals";

export default [
  { ignores: ["static/vendor/**"] },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2024, sourceType: "module", globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    plugins: { "react-hooks": hooks },
    rules: {
      "consistent-return": "error",
      eqeqeq: "error",
      "no-await-in-loop": "off", // Attempts follow each other.
      "no-constant-binary-expression": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-promise-executor-return": "off",
      "no-restricted-globals": ["error", "event", "name", "status"],
      "no-self-compare": "error",
      "no-shadow": "error",
      "no-template-curly-in-string": "error",
      "no-unused-vars": ["error", { args: "after-used" }],
      "no-use-before-define": ["error", { functions: false, variables: false, classes: false }],
      "no-var": "error",
      "prefer-const": ["error", { destructuring: "all" }],
      "react-hooks/rules-of-hooks": "error",
    },
  },
];
