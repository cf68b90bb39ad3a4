import assert from "node:assert/strict";
import { type FilterName, filters } from "../../../../server/placement/filters.ts";
import { asHostId, asVmId } from "../../../../shared/ids.ts";
import { goldenVm, hostFacts, hostUse, hostVm, wholeInventory } from "../../../support/pool/hosts.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { accept, failForGood, type ScriptedHost } from "../../../support/pool/scripted-host.ts";
import { sized, templateCreate, type VmSpecFields, vmSpec } from "../../../support/pool/specs.ts";

let pool: PoolDriver;

beforeEach(async () => {
  pool = await PoolDriver.open();
});
afterEach(() => pool.close());

describe("filters", () => {
  interface Case {
    readonly filter: FilterName;
    /** Makes the only host refuse the VM "a". */
    readonly prepare: (host: ScriptedHost) => Promise<VmSpecFields | void>;
    readonly message: string;
    readonly sentence: string;
  }
  const macos: VmSpecFields = { template: templateCreate("macos").id };
  const cases: readonly Case[] = [
    {
      filter: "architecture",
      prepare: async () => {
        const intel = await pool.submit(templateCreate("intel", { architecture: "x86_64" }));
        return { template: intel.id };
      },
      message: "is arm64, and x86_64 is needed",
      sentence: "1 host has another architecture",
    },
    {
      filter: "labels",
      prepare: async () => ({
        placement: { required: [{ key: "team", operator: "in", values: ["ios", "core"] }] },
      }),
      message: "does not meet team in (ios, core)",
      sentence: "1 host lacks a required label",
    },
    {
      filter: "golden_vm",
      prepare: async (host) => host.changeByHand("golden-linux", "running"),
      message: 'has no stopped VM named "golden-linux" to clone',
      sentence: "1 host has no golden VM of the template",
    },
    {
      filter: "size",
      prepare: async () => sized(13),
      message: "is too small: it can give VMs 12 CPUs, 64 GiB of memory and 976.6 GiB of disk in all",
      sentence: "1 host is too small",
    },
    {
      filter: "connected",
      prepare: async (host) => void (await host.disconnect()),
      message: "does not talk to the server (just now)",
      sentence: "1 host does not talk to the server",
    },
    {
      filter: "cordoned",
      prepare: async () => void (await pool.changeHost("mac-1", { schedulable: false })),
      message: "is cordoned",
      sentence: "1 host is cordoned",
    },
    {
      filter: "preflight",
      prepare: async (host) => {
        const conditions = [{ type: "Licence", holds: false, reason: "Expired", message: "the licence has expired" }];
        await host.heartbeat(hostUse({ conditions }));
      },
      message: "fails its preflight: the licence has expired",
      sentence: "1 host fails its preflight",
    },
    {
      filter: "macos_slots",
      prepare: async (host) => {
        await pool.submit(templateCreate("macos", { guestOs: "macos" }));
        const guests = ["one", "two"].map((name) => hostVm(name, { state: "running", isMacos: true }));
        await host.tellInventory(wholeInventory([goldenVm(), ...guests]));
        return macos;
      },
      message: "has no free macOS slot: 2 of 2 are taken",
      sentence: "1 host has no free macOS slot",
    },
    {
      filter: "cpu",
      prepare: async () => {
        await pool.create("other", sized(10));
        return sized(3);
      },
      message: "has 2 of 12 CPUs free, and 3 are needed",
      sentence: "1 host has too few CPUs free",
    },
    {
      filter: "memory",
      prepare: async () => {
        await pool.create("other", sized(1, 65_000));
        return sized(1, 1000);
      },
      message: "has 536 MiB of 64 GiB of memory free, and 1000 MiB are needed",
      sentence: "1 host has too little memory free",
    },
    {
      filter: "disk",
      prepare: async (host) => {
        await host.heartbeat(hostUse({ diskFreeMib: 10_000 }));
      },
      message: "has promised 0 MiB of 976.6 GiB of disk and has 10000 MiB free, and 19.5 GiB are needed",
      sentence: "1 host has too little disk free",
    },
    {
      filter: "parallel_creates",
      prepare: async (host) => {
        host.always("create", accept);
        for (const name of ["b", "c", "d", "e"]) await pool.create(name, sized(1));
      },
      message: "is making 4 VMs, as many as it may at once",
      sentence: "1 host is making as many VMs as it may at once",
    },
  ];

  for (const { filter, prepare, message, sentence } of cases) {
    it(`${filter} refuses, and says why`, async () => {
      const host = await pool.addHost("mac-1");
      assert.equal(pool.plan().host, "mac-1", "it fits as long as nothing is the matter");
      const fields = (await prepare(host)) ?? {};
      await pool.create("a", fields);
      assert.equal(pool.vm("a").state, "PENDING");
      const { verdicts, refusalCounts, summary } = pool.explain("a");
      assert.deepEqual(verdicts, [{ host: "mac-1", fits: false, filter, message }]);
      assert.deepEqual(refusalCounts, [{ filter, hosts: 1, message: sentence }]);
      assert.equal(summary, `waiting a moment, first of 1 in the queue: ${sentence}`);
      assert.equal(pool.plan(fields).summary, `it would wait: ${sentence}`);
    });
  }

  it("requested_host refuses all others, and says why", async () => {
    await pool.addHost("mac-1");
    await pool.addHost("mac-2");
    assert.equal((await pool.create("there", { placement: { host: asHostId("mac-2") } })).host, "mac-2");
    await pool.changeHost("mac-2", { schedulable: false });
    await pool.create("a", { placement: { host: asHostId("mac-2") } });
    const { verdicts } = pool.explain("a");
    assert.deepEqual(
      verdicts.map((verdict) => (verdict.fits ? "" : verdict.message)),
      ["is not hosts/mac-2, which is asked for", "is cordoned"],
    );
    await pool.refuses(
      {
        type: "vm-create",
        id: asVmId("b"),
        uid: pool.vm("a").uid,
        spec: vmSpec({ placement: { host: asHostId("mac-3") } }),
      },
      "RESOURCE_NOT_FOUND",
    );
  });

  it("quarantine refuses, and says why", async () => {
    const host = await pool.addHost("mac-1");
    await pool.addHost("mac-2");
    host.always("create", failForGood);
    for (const name of ["a", "b", "c"]) await pool.create(name, { placement: { host: asHostId("mac-1") } });
    const { verdicts } = pool.plan({ placement: { host: asHostId("mac-1") } });
    assert.deepEqual(
      verdicts.find((verdict) => verdict.host === "mac-1"),
      {
        host: "mac-1",
        fits: false,
        filter: "quarantine",
        message:
          "is in quarantine: 3 VMs could not be made or started there, most recently: the test made the create fail",
      },
    );
  });

  it("are all covered here", () => {
    const covered: readonly string[] = [
      ...cases.map(({ filter }) => filter),
      "requested_host",
      "quarantine",
      "reserved_for",
    ];
    for (const { name } of filters) assert.ok(covered.includes(name), name);
  });

  it("of drained hosts say that they are being drained", async () => {
    await pool.addHost("mac-1");
    await pool.create("other");
    // oxlint-disable-next-line unicorn/no-thenable -- the name of the field in the record
    await pool.changeHost("mac-1", { schedulable: false, drain: { reason: "update", then: "stay-cordoned" } });
    await pool.create("a");
    const [verdict] = pool.explain("a").verdicts;
    assert.equal(verdict?.fits === false && verdict.message, "is being drained");
  });

  it("count the disk that VMs being made will need against the disk that is free", async () => {
    const host = await pool.addHost("mac-1");
    host.always("create", accept);
    await host.heartbeat({ diskFreeMib: 35_000 });
    assert.equal((await pool.create("a")).state, "CREATING");
    assert.equal((await pool.create("b")).state, "PENDING");
    await host.finish(pool.vm("a"), pool.vm("a").command ?? assert.fail());
    await pool.settle();
    assert.equal(pool.vm("b").state, "CREATING");
  });

  it("keep what the operator and the service reserve, and give more where overcommit allows it", async () => {
    const facts = hostFacts({ reserved: { cpuCount: 2, memoryMib: 1024, diskMib: 0 } });
    await pool.addHost("mac-1", { facts });
    assert.equal(pool.view().ledger(asHostId("mac-1")).cpuCapacity, 10);
    await pool.changeHost("mac-1", { reserved: { cpuCount: 4, memoryMib: 0, diskMib: 0 } });
    assert.equal(pool.view().ledger(asHostId("mac-1")).cpuCapacity, 8);
    assert.equal(pool.view().ledger(asHostId("mac-1")).memoryCapacityMib, 65_536 - 1024);
    const { limits } = pool.view().hosts.get(asHostId("mac-1"))?.spec ?? assert.fail();
    await pool.changeHost("mac-1", { limits: { ...limits, cpuOvercommit: 1.5 } });
    assert.equal(pool.view().ledger(asHostId("mac-1")).cpuCapacity, 12);
  });

  it("count foreign VMs that run, and of those that are stopped only the disk", async () => {
    const host = await pool.addHost("mac-1");
    const resources = { cpuCount: 4, memoryMib: 1000, diskMib: 5000 };
    const ledger = pool.view().ledger(host.id);
    const taken = () => [ledger.cpuTaken, ledger.memoryTakenMib, ledger.diskTakenMib, ledger.macosTaken];
    for (const [state, expected] of [
      ["running", [4, 1000, 5000, 1]],
      ["stopped", [0, 0, 5000, 0]],
      ["suspended", [4, 1000, 5000, 1]],
      ["never-heard-of", [4, 1000, 5000, 1]],
    ] as const) {
      await host.tellInventory(wholeInventory([goldenVm(), hostVm("x", { state, resources, isMacos: true })]));
      assert.deepEqual(taken(), expected, state);
    }
  });
});
