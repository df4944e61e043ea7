"""ESLint over the modules of the console."""
