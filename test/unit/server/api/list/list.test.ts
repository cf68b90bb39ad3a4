import assert from "node:assert/strict";
import { HostService } from "../../../../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { VmService } from "../../../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { vmCreate } from "../../../../support/pool/specs.ts";
import { refused, ServedApi } from "../../../../support/server/served-api.ts";

describe("lists", () => {
  let api: ServedApi;
  beforeEach(async () => {
    api = await ServedApi.open();
  });
  afterEach(() => api.close());

  const list = async (request: { filter?: string; orderBy?: string; pageSize?: number }): Promise<string[][]> => {
    const pages: string[][] = [];
    let pageToken = "";
    do {
      const page = await api.client(VmService).listVms({ ...request, pageToken });
      pages.push(page.vms.map((vm) => vm.name.slice("vms/".length)));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return pages;
  };

  const makeVms = async (): Promise<void> => {
    for (const [name, priority, team] of [
      ["d", 10, "ios"],
      ["b", 30, "core"],
      ["a", 10, "ios"],
      ["e", 20, "ios"],
      ["c", 30, "core"],
    ] as const) {
      await api.driver.submit(vmCreate(name, { priority, labels: { team } }));
    }
  };

  it("come by name, page by page", async () => {
    await makeVms();
    assert.deepEqual(await list({ pageSize: 2 }), [["a", "b"], ["c", "d"], ["e"]]);
    assert.deepEqual(await list({ pageSize: 5 }), [["a", "b", "c", "d", "e"]]);
    assert.deepEqual(await list({}), [["a", "b", "c", "d", "e"]]);
  });

  it("are filtered, page by page", async () => {
    await makeVms();
    assert.deepEqual(await list({ pageSize: 2, filter: "spec.labels.team = ios" }), [["a", "d"], ["e"]]);
    assert.deepEqual(await list({ filter: "spec.labels.team = none" }), [[]]);
  });

  it("are ordered by fields, ties by name, page by page", async () => {
    await makeVms();
    const expected = [["b", "c"], ["e", "a"], ["d"]];
    assert.deepEqual(await list({ pageSize: 2, orderBy: "spec.priority desc" }), expected);
    assert.deepEqual(await list({ orderBy: "spec.labels.team, spec.priority desc, name" }), [
      ["b", "c", "e", "a", "d"],
    ]);
    assert.deepEqual(await list({ orderBy: "name desc" }), [["e", "d", "c", "b", "a"]]);
    assert.deepEqual(await list({ orderBy: "create_time desc, name desc", pageSize: 3 }), [
      ["e", "d", "c"],
      ["b", "a"],
    ]);
  });

  it("go on where they were when VMs come and go meanwhile", async () => {
    await makeVms();
    const first = await api.client(VmService).listVms({ pageSize: 2 });
    await api.client(VmService).deleteVm({ name: "vms/b" });
    await api.driver.submit(vmCreate("aa"));
    const { vms } = await api.client(VmService).listVms({ pageSize: 10, pageToken: first.nextPageToken });
    assert.deepEqual(
      vms.map(({ name }) => name),
      ["vms/c", "vms/d", "vms/e"],
    );
  });

  it("tell the revision that they were read at", async () => {
    await makeVms();
    const { revision } = await api.client(VmService).listVms({});
    assert.equal(revision, BigInt(api.driver.view().revision));
  });

  it("end a page early when it is large", async () => {
    const annotations = Object.fromEntries(["a", "b", "c", "d"].map((key) => [key, "x".repeat(4090)]));
    for (let index = 0; index < 400; index += 1) await api.driver.submit(vmCreate(`vm-${index}`, { annotations }));
    const first = await api.client(VmService).listVms({ pageSize: 1000 });
    assert(first.vms.length > 100 && first.vms.length < 400, String(first.vms.length));
    const second = await api.client(VmService).listVms({ pageSize: 1000, pageToken: first.nextPageToken });
    const third = await api.client(VmService).listVms({ pageSize: 1000, pageToken: second.nextPageToken });
    assert.equal(first.vms.length + second.vms.length + third.vms.length, 400);
  });

  it("refuse tokens that are not theirs", async () => {
    await makeVms();
    const { nextPageToken } = await api.client(VmService).listVms({ pageSize: 1 });
    const client = api.client(VmService);
    await refused(client.listVms({ pageToken: nextPageToken, filter: "name:a" }), "PAGE_TOKEN_INVALID");
    await refused(client.listVms({ pageToken: nextPageToken, orderBy: "uid" }), "PAGE_TOKEN_INVALID");
    await refused(api.client(HostService).listHosts({ pageToken: nextPageToken }), "PAGE_TOKEN_INVALID");
    const madeUp = ["x", "bnVsbA", "e30", "WzEsMiwzXQ", "W10", "x".repeat(9000)];
    for (const pageToken of madeUp) await refused(client.listVms({ pageToken }), "PAGE_TOKEN_INVALID");
  });

  it("refuse orders that cannot be", async () => {
    const bad = [
      "nothing",
      "spec",
      "spec.labels",
      "status.conditions",
      "name up",
      "name,",
      ",",
      "name desc desc",
      "status.ip_addresses",
      "name.x",
    ];
    for (const orderBy of [...bad, Array.from({ length: 9 }, () => "uid").join(","), "x".repeat(2049)]) {
      assert.deepEqual(
        (await refused(api.client(VmService).listVms({ orderBy }), "EXPRESSION_INVALID")).fields,
        ["order_by"],
        orderBy,
      );
    }
  });

  it("refuse filters that cannot be", async () => {
    const refusal = await refused(
      api.client(VmService).listVms({ filter: "status.state = SLEEPING" }),
      "EXPRESSION_INVALID",
    );
    assert.deepEqual(refusal.fields, ["filter"]);
    assert.equal(refusal.metadata["position"], "16");
  });
});
