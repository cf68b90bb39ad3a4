/**
 * Values as they come from the wire, made safe. Numbers are held within their bounds and texts for people are cut, since
 * what is left still tells the story; ids and the sizes of lists are refused when they are wrong, since a shortened id is
 * another id and a shortened list hides what is there.
 */
import type * as wire from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { Resources } from "../pool/vm.ts";
import { cpuCountMax, diskMibMax, idLengthMax, memoryMibMax } from "./limits.ts";
import { refuseUnless } from "./unacceptable.ts";

/** A whole number from 0 to `max`; 0 for what is no number. */
export function count(value: number, max: number): number {
  if (!(value > 0)) return 0;
  return value < max ? Math.floor(value) : max;
}

/** At most `lengthMax` characters, without control characters, which could deceive whoever reads it in a terminal. */
export function text(value: string, lengthMax: number): string {
  const short = value.length <= lengthMax ? value : value.slice(0, lengthMax).toWellFormed();
  return controlCharacter.test(short) ? short.replaceAll(controlCharacters, " ") : short;
}

/** An id: not empty, not too long, printable; refused otherwise. */
export function id(value: string, what: string): string {
  refuseUnless(value.length > 0, `${what} has no id`);
  refuseUnless(value.length <= idLengthMax, `${what} has an id of more than ${idLengthMax} characters`);
  refuseUnless(!controlCharacter.test(value), `${what} has an id with control characters`);
  return value;
}

/** Refuses a list that is too long. */
export function bounded<T>(values: readonly T[], max: number, what: string): readonly T[] {
  refuseUnless(values.length <= max, `${values.length} ${what} are more than the ${max} that a message may hold`);
  return values;
}

export function amounts(value: wire.Amounts | undefined): Resources {
  if (value === undefined) return noAmounts;
  return {
    cpuCount: count(value.cpuCount, cpuCountMax),
    memoryMib: count(value.memoryMib, memoryMibMax),
    diskMib: count(value.diskMib, diskMibMax),
  };
}

const noAmounts: Resources = { cpuCount: 0, memoryMib: 0, diskMib: 0 };

// oxlint-disable-next-line no-control-regex -- Control characters are what it looks for.
const controlCharacter = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;
const controlCharacters = new RegExp(controlCharacter.source, "g");
