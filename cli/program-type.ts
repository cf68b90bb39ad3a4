/** The type of a command that verbs are added to: a noun, or the program itself. */
import type { Command } from "@commander-js/extra-typings";

export type Program = Command;
