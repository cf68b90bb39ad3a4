/** Lets `npx meridian` in a checkout run the checkout's own program, with the Node that the project brings. */
import { mkdirSync, rmSync, symlinkSync } from "node:fs";

const directory = new URL("../node_modules/.bin/", import.meta.url);
const link = new URL("meridian", directory);
mkdirSync(directory, { recursive: true });
rmSync(link, { force: true });
symlinkSync("../../bin/meridian.js", link);
