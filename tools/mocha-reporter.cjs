// Mocha's own report, and one plain closing line that any CI can read. Mocha loads reporters as CommonJS.
const { reporters } = require("mocha");

/** What still runs this long after the last test was forgotten by a test: that is a failure, and no reason to wait. */
const leftoverMaxMs = 10_000;

class ClosingLine extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once("end", () => {
      const { passes = 0, failures = 0, pending = 0 } = runner.stats ?? {};
      process.stdout.write(`${passes} passed, ${failures} failed, ${pending} skipped\n`);
      setTimeout(failForLeftovers, leftoverMaxMs).unref();
    });
  }
}

function failForLeftovers() {
  process.stderr.write(`the tests left something open: ${process.getActiveResourcesInfo().join(", ")}\n`);
  process.exit(1);
}

module.exports = ClosingLine;
