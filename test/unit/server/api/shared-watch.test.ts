import assert from "node:assert/strict";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ServerCredentials } from "@grpc/grpc-js";
import * as fc from "fast-check";
import { everybody } from "../../../../server/access/admission.ts";
import { createErrorReporter } from "../../../../server/api/error-status.ts";
import { createGrpcApi } from "../../../../server/api/grpc.ts";
import { type ResourceKind, vmKind } from "../../../../server/api/resource-kind.ts";
import { ActiveCalls } from "../../../../server/api/rpc/active-calls.ts";
import type { ServiceBinding } from "../../../../server/api/rpc/handlers.ts";
import { SharedAnswers } from "../../../../server/api/rpc/shared-answers.ts";
import { SharedBatches } from "../../../../server/api/shared-batch.ts";
import { type WatchEvent, Watches } from "../../../../server/api/watch.ts";
import { listenGrpc } from "../../../../server/listening.ts";
import { defaultProjectSpec } from "../../../../server/pool/project.ts";
import type { VmRecord } from "../../../../server/pool/vm.ts";
import { systemClock } from "../../../../shared/clock.ts";
import { WatchEventType } from "../../../../shared/gen/es/meridian/v1/types_pb.ts";
import { type Vm, VmSchema } from "../../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { VmService, WatchVmsResponseSchema } from "../../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { asProjectId, asVmId, randomIds } from "../../../../shared/ids.ts";
import { silentLogger } from "../../../../shared/log.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { uidFor, vmCreate, vmSpec, vmWant } from "../../../support/pool/specs.ts";
import { ServedApi, take } from "../../../support/server/served-api.ts";

interface Watcher {
  readonly filter: string;
  /** Undefined: may see all of them. */
  readonly projects: readonly string[] | undefined;
}

const watchers: readonly Watcher[] = ["", "spec.priority >= 50", 'status.state = "PENDING"'].flatMap((filter) =>
  [undefined, ["default"], ["app"], []].map((projects) => ({ filter, projects })),
);

describe("watches that many follow", () => {
  const step = fc.record({
    id: fc.constantFrom("a", "b", "c"),
    project: fc.constantFrom("default", "app"),
    priority: fc.constantFrom(10, 50, 90),
    isDeleted: fc.boolean(),
  });

  it("tell each watcher the same bytes as if it were alone", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const driver = await PoolDriver.open();
        try {
          await driver.submit({
            type: "project-create",
            id: asProjectId("app"),
            uid: uidFor("app"),
            spec: defaultProjectSpec,
          });
          const fromRevision = driver.view().revision;
          const shared = new Watches(driver, vmKind);
          const together = watchers.map((watcher) => follow(driver, shared, { ...watcher, fromRevision }));
          const alone = watchers.map((watcher) =>
            follow(driver, new Watches(driver, vmKind), { ...watcher, fromRevision }),
          );
          for (const { id, project, priority, isDeleted } of steps) {
            const vm = driver.view().vms.get(asVmId(id));
            if (vm === undefined) await driver.submit(vmCreate(id, { project, priority }));
            else if (isDeleted) await driver.submit(vmWant(id, "deleted"));
            else if (vm.spec.wanted !== "deleted") {
              const spec = vmSpec({ project: vm.spec.project, priority });
              await driver.submit({ type: "vm-update", id: vm.id, baseGeneration: vm.generation, spec });
            }
          }
          for (const [index, watcher] of watchers.entries()) {
            const told = await together[index]?.end();
            assert.deepEqual(told, await alone[index]?.end(), JSON.stringify(watcher));
            if (watcher.projects?.length === 0) assert.deepEqual(told, []);
          }
        } finally {
          await driver.close();
        }
      }),
      { numRuns: 40 },
    );
  });

  it("convert each change once, whatever the filters", async () => {
    const driver = await PoolDriver.open();
    try {
      let converted = 0;
      const counting: ResourceKind<VmRecord, typeof VmSchema> = {
        ...vmKind,
        converter: (view, nowMs) => {
          const convert = vmKind.converter(view, nowMs);
          return (record) => {
            converted += 1;
            return convert(record);
          };
        },
      };
      const shared = new Watches(driver, counting);
      const following = watchers.map((watcher) =>
        follow(driver, shared, { ...watcher, fromRevision: driver.view().revision }),
      );
      await driver.submit(vmCreate("a"));
      await Promise.all(following.map((watcher) => watcher.end()));
      assert.equal(converted, 1);
    } finally {
      await driver.close();
    }
  });

  it("encode what they tell once for all streams of gRPC", async () => {
    const event = { type: WatchEventType.ADDED, revision: 7n, resource: create(VmSchema, { name: "vms/a" }) };
    let read = 0;
    const answers = new SharedAnswers(({ type, revision, resource }: WatchEvent<Vm>) => ({
      type,
      revision,
      get vm(): Vm | undefined {
        read += 1;
        return resource;
      },
    }));
    const { server } = createGrpcApi([watchOnly(() => [answers.of(event), answers.of({ ...event })])], {
      calls: new ActiveCalls(),
      errors: createErrorReporter(randomIds, silentLogger, (error) => assert.fail(String(error))),
      admission: everybody,
      clock: systemClock,
    });
    const { port } = await listenGrpc(server, ServerCredentials.createInsecure(), {
      field: "listen",
      address: { host: "127.0.0.1", port: 0 },
    });
    const client = createClient(VmService, createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` }));
    try {
      const first = await take(client.watchVms({}), 2);
      assert.deepEqual(
        first.map(({ type, vm, revision }) => [type, vm?.name, revision]),
        [
          [WatchEventType.ADDED, "vms/a", 7n],
          [WatchEventType.ADDED, "vms/a", 7n],
        ],
      );
      const readByOne = read;
      assert.deepEqual(await take(client.watchVms({}), 2), first);
      // The first event was encoded for the first stream; what is made anew each time is encoded anew.
      assert.equal(read, readByOne + readByOne / 2);
    } finally {
      server.forceShutdown();
    }
  });

  it("tell the same by each front", async () => {
    const api = await ServedApi.open();
    try {
      const { revision } = await api.client(VmService).listVms({});
      await api.driver.submit(vmCreate("a", { annotations: { note: "x" } }));
      const [first, ...others] = await Promise.all(
        (["grpc", "grpc", "connect", "json", "grpc-web"] as const).map((front) =>
          take(api.client(VmService, front).watchVms({ fromRevision: revision }), 1),
        ),
      );
      assert.equal(first?.[0]?.vm?.spec?.annotations["note"], "x");
      for (const other of others) assert.deepEqual(other, first);
    } finally {
      await api.close();
    }
  });

  it("keep what was made for the newest changes only", () => {
    const batches = new SharedBatches(vmKind, 10);
    const first = batches.of({ revision: 1, changes: [] });
    assert.equal(batches.of({ revision: 1, changes: [] }), first);
    for (let revision = 2; revision <= 100; revision += 1) batches.of({ revision, changes: [] });
    assert.equal(batches.size, 10);
    const newest = batches.of({ revision: 100, changes: [] });
    const former = batches.of({ revision: 1, changes: [] });
    assert.notEqual(former, first);
    assert.notEqual(batches.of({ revision: 1, changes: [] }), former, "a watcher far behind displaced the others");
    assert.equal(batches.of({ revision: 100, changes: [] }), newest);
  });
});

interface Following {
  /** All that it was told, encoded. */
  end(): Promise<string[]>;
}

/** Follows the changes after a revision until it is told to end. */
function follow(
  driver: PoolDriver,
  watches: Watches<VmRecord, typeof VmSchema>,
  { filter, projects, fromRevision }: Watcher & { readonly fromRevision: number },
): Following {
  const leave = new AbortController();
  const told: string[] = [];
  const reading = (async (): Promise<void> => {
    const stream = watches.watch({
      filter,
      fromRevision: BigInt(fromRevision),
      signal: leave.signal,
      ...(projects === undefined ? {} : { isVisible: ({ spec }: VmRecord) => projects.includes(spec.project) }),
    });
    for await (const { type, resource: vm, revision } of stream) {
      told.push(
        Buffer.from(toBinary(WatchVmsResponseSchema, create(WatchVmsResponseSchema, { type, vm, revision }))).toString(
          "hex",
        ),
      );
    }
  })();
  return {
    end: async () => {
      await driver.settle();
      leave.abort(new Error("enough"));
      await reading.catch((error: unknown) => assert.equal((error as Error).message, "enough"));
      return told;
    },
  };
}

/** A service of VMs that can be watched, and no more. */
function watchOnly(answers: () => readonly Record<string, unknown>[]): ServiceBinding {
  return {
    service: VmService,
    handler: ({ localName }) =>
      localName === "watchVms"
        ? {
            kind: "server_streaming",
            handle: async function* () {
              yield* answers();
            },
          }
        : { kind: "unary", handle: () => assert.fail("only watches") },
  };
}
