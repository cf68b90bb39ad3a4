/** Before all tests: what holds for each of them. */
import * as fc from "fast-check";

// A counterexample that takes long to make smaller is told as it is then, instead of holding up the whole run: a property that
// is not asynchronous blocks the test runner's own timeouts.
fc.configureGlobal({ interruptAfterTimeLimit: 30_000 });
