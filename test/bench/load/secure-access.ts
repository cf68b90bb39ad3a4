/** The ways into a secure server: its CA, the first admin's token, accounts with tokens of their own, and join tokens. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, createClient } from "@connectrpc/connect";
import { enrol } from "../../../agent/identity/enrol.ts";
import { createVolatileIdentityStore } from "../../../agent/identity/identity.ts";
import { TlsCredentials } from "../../../agent/link/tls-credentials.ts";
import { openTransport } from "../../../cli/connection.ts";
import { systemClock } from "../../../shared/clock.ts";
import { AccessService } from "../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { PoolService } from "../../../shared/gen/es/meridian/v1/pool_service_pb.ts";
import { Role } from "../../../shared/gen/es/meridian/v1/service_account_pb.ts";
import { silentLogger } from "../../../shared/log.ts";
import { parseJoinToken } from "../../../shared/tls/join-token.ts";
import type { ServerProcess } from "../server-process.ts";
import type { Caller } from "./pool-client.ts";

export class SecureAccess {
  readonly ca: string;
  private readonly grpcAddress: string;
  private readonly token: string;
  private readonly closers: (() => void)[] = [];

  /** @param server must be serving. */
  constructor(server: ServerProcess, grpcAddress: string) {
    this.ca = readFileSync(join(server.dataDir, "tls", "ca.pem"), "utf8");
    this.token = readFileSync(join(server.dataDir, "admin-token"), "utf8").trim();
    this.grpcAddress = grpcAddress;
  }

  close(): void {
    for (const close of this.closers) close();
  }

  /** @returns the token of a new service account in that role. */
  async makeAccount(serviceAccountId: string, role: Role = Role.USER): Promise<string> {
    const access = this.admin(AccessService);
    const spec = { bindings: [{ role }] };
    await access.createServiceAccount({ serviceAccountId, serviceAccount: { spec } });
    const serviceAccount = `serviceAccounts/${serviceAccountId}`;
    return (await access.createToken({ token: { spec: { serviceAccount } } })).secret;
  }

  /** What a client proves itself with. */
  caller(token: string): Caller {
    return { credentials: new TlsCredentials({ ca: [this.ca] }), token };
  }

  /** @param maxUses how many hosts may enrol with it. */
  async makeJoinToken(maxUses = 1): Promise<string> {
    return (await this.admin(AccessService).createJoinToken({ joinToken: { spec: { maxUses } } })).token;
  }

  /** Limits that nobody meets, or those of a pool in which none were set. */
  async setLimits(areMet: boolean): Promise<void> {
    const most = { callsPerIdentity: 1e6, callsPerAddress: 1e6 };
    await this.admin(PoolService).updateSettings({
      settings: { spec: areMet ? {} : { limits: most } },
      updateMask: { paths: ["spec.limits"] },
    });
  }

  /** A client with all rights. */
  admin<S extends Parameters<typeof createClient>[0]>(service: S): Client<S> {
    const { transport, close } = openTransport({
      server: this.grpcAddress,
      token: this.token,
      timeoutMs: 30_000,
      trust: { kind: "tls", ca: this.ca },
    });
    this.closers.push(close);
    return createClient(service, transport);
  }
}

/** Enrols a host with the token, and keeps its identity in memory alone. @returns what its agent proves itself with. */
export async function enrolHost(joinToken: string, hostId: string): Promise<TlsCredentials> {
  const token = parseJoinToken(joinToken);
  if ("problem" in token) throw new Error(token.problem);
  const { ca, certificate, key } = await enrol({
    token,
    hostId,
    store: createVolatileIdentityStore(),
    clock: systemClock,
    random: Math.random,
    log: silentLogger,
    signal: new AbortController().signal,
  });
  return new TlsCredentials({ ca, shown: { certificate, key } });
}
