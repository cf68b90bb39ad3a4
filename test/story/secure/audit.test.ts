import assert from "node:assert/strict";
import { join } from "node:path";
import type { DescMethod } from "@bufbuild/protobuf";
import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { guardedServices, isChange } from "../../../server/access/permissions.ts";
import { type Event, EventService } from "../../../shared/gen/es/meridian/v1/event_service_pb.ts";
import { runAlone } from "../../support/cli/meridian.ts";
import { ChangingCalls } from "../../support/secure/changing-calls.ts";
import { SecurePool } from "../../support/secure/secure-pool.ts";
import { take } from "../../support/server/served-api.ts";

describe("the audit of a secure server", () => {
  let pool: SecurePool;
  let transport: Transport;
  let events: Client<typeof EventService>;
  let changing: ChangingCalls;
  before(async () => {
    pool = await SecurePool.start();
    transport = await pool.transport();
    events = createClient(EventService, transport);
    changing = await ChangingCalls.open(pool, transport);
  });
  after(() => pool.close());

  async function call(method: DescMethod, request: object): Promise<void> {
    const client = createClient(method.parent, transport) as unknown as Record<string, (request: unknown) => unknown>;
    const made = client[method.localName]?.(method.methodKind === "bidi_streaming" ? once(request) : request);
    if (method.methodKind === "unary") await (made as Promise<unknown>);
    else await take(made as AsyncIterable<unknown>, Number.POSITIVE_INFINITY);
  }

  /** What clients did; the hosts renew their certificates meanwhile, when the CA is another. */
  async function auditedSince(revision: bigint): Promise<Event[]> {
    const { events: all } = await events.listEvents({ filter: `kind = AUDIT AND revision > ${revision}` });
    return all.filter(({ caller }) => caller?.authentication !== "certificate");
  }

  for (const method of guardedServices.flatMap(({ methods }) => methods.filter(isChange))) {
    it(`tells who called ${method.parent.name}.${method.name}, from where, about what`, async () => {
      const known = changing.calls[method.name];
      assert(known !== undefined, `test/support/secure/changing-calls.ts does not say how ${method.name} is called`);
      const { request, resource, fields = [] } = await known();
      const { revision } = await events.listEvents({ pageSize: 1 });
      await call(method, request);
      const [told, ...more] = await auditedSince(revision);
      assert(told !== undefined, `${method.name} left no entry`);
      assert.deepEqual(more, []);
      assert.equal(told.action, method.name);
      assert.deepEqual([told.result, told.count], ["OK", 1]);
      assert.equal(told.caller?.principal, "admin");
      assert.equal(told.caller?.authentication, "admin-token");
      assert.match(told.caller?.address ?? "", /127\.0\.0\.1$/);
      if (resource.endsWith("/")) assert.ok(told.resource.startsWith(resource), told.resource);
      else assert.equal(told.resource, resource);
      assert.deepEqual([...told.fields].sort(), [...fields].sort());
    });
  }
});

describe("a verb of the command line on a secure server", () => {
  let pool: SecurePool;
  before(async () => {
    pool = await SecurePool.start();
  });
  after(() => pool.close());

  async function meridian(...line: readonly string[]): Promise<string> {
    const environment = {
      MERIDIAN_SERVER: pool.server.addresses.grpc,
      MERIDIAN_CA_FILE: join(pool.dataDir, "tls", "ca.pem"),
      MERIDIAN_TOKEN: await pool.token(),
    };
    const { exitCode, out, err } = await runAlone(line, { environment });
    assert.equal(exitCode, 0, err);
    return out;
  }

  it("is told of under its caller, and shown and exported by `event`", async () => {
    await meridian("project", "create", "--id", "acme");
    await pool.enrol("mac-1");
    const filter = ["--filter", 'kind = AUDIT AND resource = "projects/acme"'];
    assert.match(await meridian("event", "list", ...filter), /projects\/acme +CreateProject +admin/);
    const lines = (await meridian("event", "export", "--filter", "kind = AUDIT")).trim().split("\n");
    const exported = lines.map(
      (line) => JSON.parse(line) as { action: string; result: string; caller: { principal: string } },
    );
    assert.deepEqual(
      exported.map(({ action, result }) => [action, result]),
      [
        ["CreateProject", "OK"],
        ["CreateJoinToken", "OK"],
        ["Enroll", "OK"],
      ],
    );
    assert.match(exported[2]?.caller.principal ?? "", /^joinTokens\//);
  });
});

async function* once(request: object): AsyncGenerator<object> {
  yield request;
}
