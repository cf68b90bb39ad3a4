// Mocha's own report, and one plain closing line that any CI can read. Mocha loads reporters as CommonJS.
const { reporters } = require("mocha");

class ClosingLine extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once("end", () => {
      const { passes = 0, failures = 0, pending = 0 } = runner.stats ?? {};
      process.stdout.write(`${passes} passed, ${failures} failed, ${pending} skipped\n`);
    });
  }
}

module.exports = ClosingLine;
