/** The list's filter header: `property=regular expression`, with `,i` at the end to ignore case. */
import { serviceFailed } from "../service-error.ts";
import type { WireVm } from "./wire-vm.ts";

/** Longer expressions are refused; the real service takes any. */
const filterLengthMax = 200;

/** @throws ServiceError if the filter is none, or names a property that a VM does not have. */
export function filterVms(vms: readonly WireVm[], filter: string): readonly WireVm[] {
  const match = /^\s*([^=]+?)\s*=(.*?)(,i)?$/.exec(filter);
  const [property, pattern] = [match?.[1], match?.[2]];
  if (property === undefined || pattern === undefined || filter.length > filterLengthMax) {
    throw serviceFailed(400, "invalid filter");
  }
  const expression = compile(pattern, match?.[3] === undefined ? "" : "i");
  return vms.filter((vm) => {
    const key = Object.keys(vm).find((name) => name.toLowerCase() === property.toLowerCase());
    if (key === undefined) throw serviceFailed(400, "invalid filter property");
    const value = vm[key];
    return expression.test(typeof value === "string" ? value : JSON.stringify(value));
  });
}

function compile(pattern: string, flags: string): RegExp {
  try {
    return new RegExp(pattern, flags);
  } catch {
    throw serviceFailed(400, "invalid filter");
  }
}
