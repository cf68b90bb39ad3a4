import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { type PermissionRow, permissionRows } from "../../../../../server/access/permission-rows.ts";
import { guardedServices } from "../../../../../server/access/permissions.ts";
import { type Binding, includesRole, roles } from "../../../../../server/access/roles.ts";
import type { ApiContext } from "../../../../../server/api/context.ts";
import { createServices } from "../../../../../server/api/services/services.ts";
import { EventService } from "../../../../../shared/gen/es/meridian/v1/event_service_pb.ts";
import { VmStatus_State } from "../../../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { VmService } from "../../../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { permissionsPage } from "../../../../../tools/permissions-page.ts";
import { defaultTemplate, vmCreate } from "../../../../support/pool/specs.ts";
import { ScriptedAdmission } from "../../../../support/server/scripted-admission.ts";
import { fronts, refusalOf, refused, ServedApi, take } from "../../../../support/server/served-api.ts";

/** Any call, as a client of any kind makes it; its refusal's reason, or nothing. */
async function reasonOf(
  api: ServedApi,
  method: DescMethod,
  { token, request }: { readonly token?: string | undefined; readonly request: object },
): Promise<string | undefined> {
  const client = api.client(method.parent) as unknown as Record<string, (request: unknown, options: object) => unknown>;
  const signal = AbortSignal.timeout(5000);
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const call = client[method.localName]?.(method.methodKind === "bidi_streaming" ? onceOnly(request) : request, {
    headers,
    signal,
  });
  try {
    if (method.methodKind === "unary") await (call as Promise<unknown>);
    else await take(call as AsyncIterable<unknown>, 1);
    return undefined;
  } catch (error) {
    return refusalOf(error).reason;
  }
}

async function* onceOnly(request: object): AsyncGenerator<object> {
  yield request;
}

/** A request that names a VM, or a project, wherever the method has a place for it. */
function requestFor(method: DescMethod, { vm, project }: { readonly vm: string; readonly project: string }): object {
  const name = `vms/${vm}`;
  switch (method.localName) {
    case "createVm":
      return { vm: { spec: { project, template: `templates/${defaultTemplate}` } } };
    case "batchCreateVms":
      return { requests: [{ vm: { spec: { project, template: `templates/${defaultTemplate}` } } }] };
    case "planVm":
      return { spec: { project, template: `templates/${defaultTemplate}` } };
    case "getProject":
      return { name: `projects/${project}` };
    case "cloneVm":
      return { name, spec: { project } };
    case "updateVm":
      return { vm: { name } };
    case "execVm":
      return { payload: { case: "start", value: { name, command: ["true"] } } };
    case "waitVm":
      return { name, states: [VmStatus_State.PENDING] };
    default:
      return method.parent === VmService ? { name } : {};
  }
}

function isAllowed(row: PermissionRow, binding: Binding, vm: "own" | "theirs"): boolean {
  if (row.role === undefined) return true;
  const needed = vm === "own" ? (row.ownRole ?? row.role) : row.role;
  const isWide = binding.project === undefined;
  return includesRole(binding.role, needed) && (row.where !== "everywhere" || isWide);
}

describe("permissions", () => {
  let api: ServedApi;
  let admission: ScriptedAdmission;
  beforeEach(async () => {
    admission = new ScriptedAdmission();
    api = await ServedApi.open({ admission });
    await api.driver.submit({ ...vmCreate("own", { project: "acme" }), owner: "serviceAccounts/caller" });
    await api.driver.submit({ ...vmCreate("theirs", { project: "acme" }), owner: "serviceAccounts/other" });
    await api.driver.submit({ ...vmCreate("hidden", { project: "secret" }), owner: "serviceAccounts/other" });
  });
  afterEach(() => api.close());

  it("name every method of every service that is served", () => {
    const served = createServices({} as ApiContext).map(({ service }) => service);
    const sorted = (services: readonly DescService[]): string[] => services.map(({ typeName }) => typeName).sort();
    assert.deepEqual(sorted(guardedServices), sorted(served));
    assert.equal(
      permissionRows().length,
      served.reduce((sum, { methods }) => sum + methods.length, 0),
    );
  });

  it("are told in docs/permissions.md as they are", () => {
    const page = readFileSync(new URL("../../../../../docs/permissions.md", import.meta.url), "utf8");
    assert.equal(page, permissionsPage(), "run npm run permissions");
  });

  for (const row of permissionRows()) {
    it(`hold for ${row.service}.${row.method}`, async () => {
      const service = guardedServices.find(({ name }) => name === row.service);
      const method = service?.methods.find(({ name }) => name === row.method);
      assert(method !== undefined);
      const isOnVm = row.where === "in the VM's project";
      for (const role of roles) {
        for (const binding of [{ role }, { role, project: "acme" }]) {
          for (const vm of ["own", "theirs"] as const) {
            if (vm === "own" && !isOnVm) continue;
            admission.set("caller", [binding]);
            const reason = await reasonOf(api, method, {
              token: "caller",
              request: requestFor(method, { vm, project: "acme" }),
            });
            const told = `${JSON.stringify(binding)} on ${vm}: ${reason}`;
            assert.equal(reason !== "ROLE_MISSING", isAllowed(row, binding, vm), told);
            assert.ok(!["CREDENTIALS_MISSING", "CREDENTIALS_INVALID", "INTERNAL_ERROR"].includes(reason ?? ""), told);
          }
        }
      }
      admission.set("caller", [{ role: "admin", project: "other" }]);
      const elsewhere = await reasonOf(api, method, {
        token: "caller",
        request: requestFor(method, { vm: "hidden", project: "secret" }),
      });
      if (isOnVm) assert.equal(elsewhere, "RESOURCE_NOT_FOUND");
      else if (row.where === "in the project") assert.equal(elsewhere, "ROLE_MISSING");
      admission.set("caller", []);
      const without = await reasonOf(api, method, {
        token: "caller",
        request: requestFor(method, { vm: "own", project: "acme" }),
      });
      if (row.role !== undefined)
        assert.ok(["ROLE_MISSING", "RESOURCE_NOT_FOUND"].includes(without ?? ""), String(without));
      const request = requestFor(method, { vm: "own", project: "acme" });
      assert.equal(await reasonOf(api, method, { request }), "CREDENTIALS_MISSING");
      assert.equal(await reasonOf(api, method, { token: "unknown", request }), "CREDENTIALS_INVALID");
    });
  }

  for (const front of fronts) {
    it(`show of lists and watches what the caller may see, by ${front}`, async () => {
      admission.set("caller", [{ role: "viewer", project: "acme" }]);
      const options = { headers: { authorization: "Bearer caller" } };
      const { vms } = await api.client(VmService, front).listVms({}, options);
      assert.deepEqual(
        vms.map(({ name }) => name),
        ["vms/own", "vms/theirs"],
      );
      const watch = api.client(VmService, front).watchVms({}, options)[Symbol.asyncIterator]();
      const next = async (): Promise<string> => {
        const told = await watch.next();
        return told.done === true ? "end" : (told.value.vm?.name ?? "bookmark");
      };
      assert.deepEqual([await next(), await next(), await next()], ["vms/own", "vms/theirs", "bookmark"]);
      await api.driver.submit(vmCreate("hidden-too", { project: "secret" }));
      await api.driver.submit(vmCreate("seen", { project: "acme" }));
      assert.equal(await next(), "vms/seen");
      const { events } = await api.client(EventService, front).listEvents({}, options);
      assert.ok(events.length > 0 && events.every(({ project }) => project === "acme"));
      admission.set("caller", [{ role: "viewer" }]);
      assert.equal((await api.client(VmService, front).listVms({}, options)).vms.length, 5);
    });

    it(`end a watch at once when they are taken away, by ${front}`, async () => {
      admission.set("caller", [{ role: "viewer", project: "acme" }]);
      const options = { headers: { authorization: "Bearer caller" } };
      const watch = api.client(VmService, front).watchVms({}, options)[Symbol.asyncIterator]();
      for (let count = 0; count < 3; count += 1) await watch.next();
      admission.set("somebody-else", [{ role: "viewer" }]);
      await api.driver.submit(vmCreate("seen", { project: "acme" }));
      const next = await watch.next();
      assert.equal(next.done !== true && next.value.vm?.name, "vms/seen");
      const ended = refused(watch.next(), "CREDENTIALS_INVALID");
      admission.set("caller", undefined);
      await ended;
    });
  }

  it("end a watch whose caller may see other things now, and a wait and a command too", async () => {
    admission.set("caller", [{ role: "operator", project: "acme" }]);
    const options = { headers: { authorization: "Bearer caller" } };
    await api.driver.settle();
    const vms = api.client(VmService);
    const watch = vms.watchVms({}, options)[Symbol.asyncIterator]();
    await watch.next();
    const waiting = refused(
      vms.waitVm({ name: "vms/theirs", states: [VmStatus_State.RUNNING], timeout: { seconds: 60n } }, options),
      "ACCESS_CHANGED",
    );
    const watched = refused(
      (async () => {
        while ((await watch.next()).done !== true);
      })(),
      "ACCESS_CHANGED",
    );
    while (api.calls.count < 2) await api.driver.settle();
    admission.set("caller", [{ role: "viewer", project: "acme" }]);
    await Promise.all([waiting, watched]);
  });

  it("make a request id the caller's own", async () => {
    admission.set("one", [{ role: "user", project: "acme" }]);
    admission.set("two", [{ role: "user", project: "acme" }]);
    const request = {
      requestId: "build-1",
      vm: { spec: { project: "acme", template: `templates/${defaultTemplate}` } },
    };
    const ask = async (token: string) =>
      (await api.client(VmService).createVm(request, { headers: { authorization: `Bearer ${token}` } })).vm;
    const [first, again, other] = [await ask("one"), await ask("one"), await ask("two")];
    assert.equal(again?.uid, first?.uid);
    assert.notEqual(other?.uid, first?.uid);
    assert.deepEqual([first?.owner, other?.owner], ["serviceAccounts/one", "serviceAccounts/two"]);
  });
});
