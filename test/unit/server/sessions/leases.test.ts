import assert from "node:assert/strict";
import { leaseMarginMs } from "../../../../server/pool/limits.ts";
import { asVmId, hostVmName } from "../../../../shared/ids.ts";
import { templateCreate, vmCreate } from "../../../support/pool/specs.ts";
import { type AgentClient, hostVmOf, inventoryOf, STATE_ACCEPTED, settle, until } from "./agent-client.ts";
import { Link } from "./link-fixture.ts";

const leaseDurationMs = 60_000;
const golden = inventoryOf({ whole: true, vms: [hostVmOf({ name: "golden-linux" })] });

describe("sessions: leases", () => {
  let link: Link;
  let agent: AgentClient;
  beforeEach(async () => {
    link = await Link.start();
    await link.engine.submit(templateCreate("linux"));
    agent = link.agent();
    await agent.open({ inventory: golden });
  });
  afterEach(() => link.close());

  const isAbout = (leaseMs: number | undefined, expectedMs: number): void => {
    assert.ok(leaseMs !== undefined && Math.abs(leaseMs - expectedMs) < 1000, `${leaseMs} ms`);
  };

  it("are none in the beginning", async () => {
    assert.deepEqual((await agent.next("leases")).leases, { whole: true, leases: [] });
  });

  it("come with the commands of their VMs", async () => {
    await link.engine.submit(vmCreate("a", { leaseDurationMs }));
    isAbout((await agent.nextCommand()).leaseMs, leaseDurationMs + leaseMarginMs);
    await link.engine.submit(vmCreate("b"));
    assert.equal((await agent.nextCommand(1)).leaseMs, 0);
  });

  it("are told when they are renewed, and all of them when a session opens", async () => {
    const { uid } = await link.engine.submit(vmCreate("a", { leaseDurationMs }));
    await link.engine.submit(vmCreate("b"));
    const { id } = await agent.nextCommand();
    agent.update(id, STATE_ACCEPTED);
    await until(() => agent.acknowledged === 2, "the acceptance to be taken");
    await link.engine.submit({ type: "vm-renew", id: asVmId("a"), leaseDurationMs: 3_600_000 });
    const { leases: renewed } = await agent.next("leases", 1);
    assert.equal(renewed.whole, false);
    assert.deepEqual(
      renewed.leases.map(({ vmUid, hostVmName: name, generation }) => ({ vmUid, name, generation })),
      // The generation of the command that is under way: it must not be refused when it is sent again.
      [{ vmUid: uid, name: hostVmName(uid, 1), generation: 1 }],
    );
    isAbout(renewed.leases[0]?.leaseMs, 3_600_000 + leaseMarginMs);

    const next = link.agent();
    await next.open({ inventory: golden });
    const { leases: all } = await next.next("leases");
    await settle();
    assert.equal(all.whole, true);
    assert.deepEqual(
      all.leases.map(({ vmUid }) => vmUid),
      [uid],
    );
    const kinds = next.received.map(({ payload }) => payload?.$case);
    assert.ok(kinds.indexOf("leases") < kinds.indexOf("command"), "before anything else");
  });

  it("tells with a command what is left of the lease when it is sent, however long the disk took", async () => {
    link.holdDisk();
    const created = link.engine.submit(vmCreate("slow", { leaseDurationMs }));
    await settle();
    link.clock.advance(7000);
    link.releaseDisk();
    await created;
    const { leaseMs } = await agent.nextCommand();
    assert.ok(leaseMs <= leaseDurationMs + leaseMarginMs - 7000, `${leaseMs} ms`);
  });

  it("takes no renewal back with a command that was written before it and is sent after it", async () => {
    link.holdDisk();
    const created = link.engine.submit(vmCreate("a", { leaseDurationMs }));
    await settle();
    const renewed = link.engine.submit({ type: "vm-renew", id: asVmId("a"), leaseDurationMs: 3_600_000 });
    link.releaseDisk();
    await Promise.all([created, renewed]);
    isAbout((await agent.nextCommand()).leaseMs, 3_600_000 + leaseMarginMs);
    isAbout((await agent.next("leases", 1)).leases.leases[0]?.leaseMs, 3_600_000 + leaseMarginMs);
  });
});
