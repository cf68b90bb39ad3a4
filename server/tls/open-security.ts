/** Everything that makes a server's ports secure, opened together: the CA, the server's certificate, and who shows what. */
import { join } from "node:path";
import type { Clock } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import type { Address } from "../listening.ts";
import { Authority } from "./authority.ts";
import { OwnCertificate, type OwnCertificateFiles } from "./own-certificate.ts";
import { PortSecurity } from "./port-security.ts";
import { ServerCertificate } from "./server-certificate.ts";
import { advertisedHosts, readMachineNames, serverNames } from "./server-names.ts";

export interface TlsSettings {
  /** Names and addresses, without ports, by which this server is reached beside those that it finds itself. Default none. */
  readonly advertise?: readonly string[];
  /** Shown on the public ports instead of a certificate of the pool's own CA. */
  readonly ownCertificate?: OwnCertificateFiles;
  /** How long certificates live, in ms; the defaults are right but for tests. */
  readonly lives?: { readonly server?: number; readonly host?: number };
}

export interface Security {
  readonly authority: Authority;
  readonly ports: PortSecurity;
  /** What the server's certificate names. */
  readonly names: readonly string[];
  /** By what this server is reached where it listens like that. */
  hostsFor(listen: Address): readonly string[];
}

/** Rejects with a `StoreError`, or with FIELD_INVALID for the operator's own certificate. */
export async function openSecurity(
  settings: TlsSettings,
  world: {
    readonly dataDir: string;
    readonly poolUid: string;
    readonly listens: readonly Address[];
    readonly clock: Clock;
    readonly log: Logger;
  },
): Promise<Security> {
  const { dataDir, poolUid, listens, clock, log } = world;
  const { advertise = [], ownCertificate: files, lives } = settings;
  const directory = join(dataDir, "tls");
  const machine = readMachineNames();
  const names = serverNames(listens, advertise, machine);
  const authority = await Authority.open({ directory, poolUid, clock, ...(lives !== undefined && { lives }) });
  const serverCertificate = await ServerCertificate.open({ authority, directory, names, clock, log });
  const ownCertificate = files === undefined ? undefined : await OwnCertificate.open(files, log);
  const ports = new PortSecurity({ authority, serverCertificate, ownCertificate, clock, log });
  return { authority, ports, names, hostsFor: (listen) => advertisedHosts(listen, advertise, machine) };
}
