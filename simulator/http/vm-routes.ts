/** The routes of VMs: reading them, and everything but their states and their making. Every `{id}` is an id or a name. */
import type { ConfigurationOperation } from "../configuration.ts";
import type { SimulatedMac } from "../mac.ts";
import { bodyInvalid, serviceFailed } from "../service-error.ts";
import { success } from "./error-bodies.ts";
import { type Fields, list, readFields, requiredText, text, texts } from "./fields.ts";
import { isFlagSet, param, type Route } from "./route.ts";
import { filterVms } from "./vm-filter.ts";
import { toWireVm } from "./wire-vm.ts";

export function createVmRoutes(mac: SimulatedMac): readonly Route[] {
  return [...createReadRoutes(mac), ...createChangeRoutes(mac), ...createRegistrationRoutes(mac)];
}

function createReadRoutes(mac: SimulatedMac): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/machines",
      access: "caller",
      handle: async ({ headers }) => {
        const vms = (await mac.listVms()).map((vm) => toWireVm(vm, mac));
        const filter = headers["x-filter"];
        return { status: 200, body: typeof filter === "string" ? filterVms(vms, filter) : vms };
      },
    },
    {
      method: "GET",
      path: "/machines/{id}",
      access: "caller",
      handle: async (call) => ({ status: 200, body: toWireVm(await mac.findVm(param(call, "id")), mac) }),
    },
    {
      method: "GET",
      path: "/machines/{id}/status",
      access: "caller",
      handle: async (call) => {
        const vm = await mac.readStatus(param(call, "id"));
        const ip = vm.address === "" ? "-" : vm.address;
        return { status: 200, body: { id: vm.id, status: vm.state, ip_configured: ip } };
      },
    },
  ];
}

function createChangeRoutes(mac: SimulatedMac): readonly Route[] {
  return [
    {
      method: "DELETE",
      path: "/machines/{id}",
      access: "caller",
      handle: async (call) => {
        await mac.deleteVm(param(call, "id"), isFlagSet(call, "force"));
        return { status: 202 };
      },
    },
    {
      method: "PUT",
      path: "/machines/{id}/set",
      access: "caller",
      handle: async (call) => {
        const operations = readOperations(readFields(call.body));
        await mac.configureVm(param(call, "id"), operations);
        const done = operations.map(({ group, operation }) => ({ group, operation, status: "Success" }));
        return { status: 200, body: { operations: done } };
      },
    },
    {
      method: "PUT",
      path: "/machines/{id}/clone",
      access: "caller",
      handle: async (call) => {
        const name = requiredText(readFields(call.body), "clone_name").trim();
        const clone = await mac.cloneVm(param(call, "id"), name);
        return { status: 200, body: { id: clone.id, status: "Success", error: "" } };
      },
    },
    {
      method: "PUT",
      path: "/machines/{id}/rename",
      access: "caller",
      handle: async (call) => {
        const fields = readFields(call.body);
        const name = requiredText(fields, "new_name");
        const vm = await mac.renameVm(param(call, "id"), name, text(fields, "description"));
        return { status: 200, body: toWireVm(vm, mac) };
      },
    },
    {
      method: "PUT",
      path: "/machines/{id}/execute",
      access: "caller",
      handle: async (call) => {
        const fields = readFields(call.body);
        const command = requiredText(fields, "command");
        const result = await mac.execute(param(call, "id"), command, texts(fields, "environment_variables"));
        const { stdout, stderr, exitCode, error } = result;
        return { status: 200, body: { stdout, stderr, exit_code: exitCode, error } };
      },
    },
  ];
}

function createRegistrationRoutes(mac: SimulatedMac): readonly Route[] {
  return [
    {
      method: "POST",
      path: "/machines/register",
      access: "caller",
      handle: async ({ body }) => {
        const fields = readFields(body);
        const [id, name] = [text(fields, "uuid"), text(fields, "machine_name")];
        const vm = await mac.registerVm({
          path: requiredText(fields, "path"),
          ...(id === "" ? {} : { id }),
          ...(name === "" ? {} : { name }),
        });
        return { status: 200, body: toWireVm(vm, mac) };
      },
    },
    {
      method: "POST",
      path: "/machines/{id}/unregister",
      access: "caller",
      handle: async (call) => {
        // The body must name the VM too, though only the path counts.
        requiredText(readFields(call.body), "id");
        await mac.unregisterVm(param(call, "id"));
        return success("unregister");
      },
    },
  ];
}

const knownGroups = new Set([
  "state",
  "machine",
  "cpu",
  "memory",
  "boot-order",
  "efi-secure-boot",
  "time",
  "device",
  "shared-folder",
  "network",
  "rosetta",
  "cmd",
]);
/** Groups of which an operation must have a value. */
const valuedGroups = new Set(["cpu", "memory", "boot-order", "efi-secure-boot", "time", "device", "shared-folder"]);

/** @throws ServiceError */
function readOperations(fields: Fields): readonly ConfigurationOperation[] {
  const operations = list(fields, "operations").map((operation) => ({
    group: text(operation, "group"),
    operation: text(operation, "operation"),
    value: text(operation, "value"),
    options: list(operation, "options").map((option) => ({ flag: text(option, "flag"), value: text(option, "value") })),
    hasFlags: Array.isArray(operation["flags"]) && operation["flags"].length > 0,
  }));
  if (operations.length === 0) throw bodyInvalid("error 400: config operation cannot be empty");
  for (const { group, operation, value, options, hasFlags } of operations) {
    if (group === "") throw bodyInvalid("error 400: config group cannot be empty");
    if (operation === "") throw bodyInvalid("error 400: config operation cannot be empty");
    if (!knownGroups.has(group)) throw invalid(`operation ${operation} not supported on group ${group}`);
    if (valuedGroups.has(group) && value === "") throw invalid("value cannot be empty");
    if (group === "cmd" && options.length === 0 && !hasFlags) {
      throw invalid(`operation ${operation} does not have enough arguments on group ${group}`);
    }
  }
  return operations;
}

function invalid(words: string): Error {
  return bodyInvalid(serviceFailed(400, words).message);
}
