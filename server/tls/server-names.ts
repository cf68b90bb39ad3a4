/** By which names and addresses the server can be reached: what its certificate has to say. */
import { hostname, networkInterfaces } from "node:os";
import { isLoopbackName } from "../api/origin.ts";
import type { Address } from "../listening.ts";

/** Names of this machine; arguments, so that a test can have other ones. */
export interface MachineNames {
  readonly hostName: string;
  /** Addresses of its network interfaces. */
  readonly addresses: readonly string[];
}

export function readMachineNames(): MachineNames {
  const interfaces = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  // Those of a single link mean something only together with the interface, which no certificate can name.
  const addresses = interfaces.map(({ address }) => address).filter((address) => !address.startsWith("fe80:"));
  return { hostName: hostname(), addresses };
}

/**
 * This machine itself always; where it listens; its own name and addresses if it listens for others; and what the operator
 * adds. In one order, so that the same names are the same certificate.
 * @param advertised names and addresses without a port.
 */
export function serverNames(
  listens: readonly Address[],
  advertised: readonly string[],
  { hostName, addresses }: MachineNames,
): readonly string[] {
  const hosts = listens.map(({ host }) => host);
  const isForOthers = hosts.some((host) => !isLoopbackName(host));
  const isForAll = hosts.some(isWildcard);
  const names = [
    "localhost",
    "127.0.0.1",
    "::1",
    ...hosts.filter((host) => !isWildcard(host)),
    ...(isForOthers ? [hostName] : []),
    ...(isForAll ? addresses : []),
    ...advertised,
  ];
  return [...new Set(names.filter((name) => name !== "").map((name) => name.toLowerCase()))].sort();
}

/**
 * Where agents are told to find the server: what the operator says, else where it listens for them, else, if that is every
 * address of the machine, by the machine's name.
 */
export function advertisedHosts(
  listen: Address,
  advertised: readonly string[],
  { hostName }: MachineNames,
): readonly string[] {
  if (advertised.length > 0) return advertised;
  return [isWildcard(listen.host) ? hostName : listen.host];
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::" || host === "[::]";
}
