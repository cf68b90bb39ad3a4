/** What changes a VM as a whole: removal, copies, CPU and memory, and the begin of a create from a catalog. */
import { type CreateFromCatalog, ParallelsError, type VmConfiguration } from "./api.ts";
import { buildConnectionString } from "./connection-string.ts";
import { decodeObject, isObject, objectsAt, parseJson, textAt } from "./decoders.ts";
import { judgeMessage } from "./error-judgement.ts";
import { plainId } from "./quantities.ts";
import { pathOf, type ServiceClient } from "./service-client.ts";
import { decodeVms } from "./vm-decoder.ts";

/** Asks for the removal of a VM and its files; one that is not there is removed already. */
export async function deleteVm(
  client: ServiceClient,
  vmId: string,
  options: { readonly force: boolean; readonly signal?: AbortSignal },
): Promise<void> {
  const path = pathOf`/machines/${vmId}` + (options.force ? "?force=true" : "");
  try {
    await client.call({ method: "DELETE", path, limitMs: client.limits.deleteMs, signal: options.signal });
  } catch (error) {
    if (!(error instanceof ParallelsError) || error.kind !== "vm-not-found") throw error;
  }
}

/**
 * Copies a stopped VM and returns the copy's id. The service gives a new MAC address to the source instead of the copy, so
 * the copy gets one here; a copy that cannot get one is removed again, as two guests with one address disturb each other.
 */
export async function cloneVm(
  client: ServiceClient,
  vmId: string,
  options: { readonly cloneName: string; readonly signal?: AbortSignal | undefined },
): Promise<string> {
  const { cloneName, signal } = options;
  const body = { clone_name: cloneName };
  const call = {
    method: "PUT",
    path: pathOf`/machines/${vmId}/clone`,
    body,
    limitMs: client.limits.changeMs,
    signal,
  } as const;
  const reply = decodeObject(await client.callJson(call), "the reply to a clone");
  const error = textAt(reply, "error");
  if (error !== "") throw new ParallelsError(judgeMessage(error), client.washer.wash(error));
  const cloneId = plainId(textAt(reply, "id")) || (await findVmId(client, cloneName, signal));
  try {
    await renewMacAddress(client, cloneId, signal);
  } catch (fault) {
    await deleteVm(client, cloneId, { force: false }).catch(() => undefined);
    throw fault;
  }
  return cloneId;
}

/** Sets CPU and memory of a stopped VM. */
export async function configureVm(
  client: ServiceClient,
  vmId: string,
  options: { readonly change: VmConfiguration; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const { cpuCount, memoryMib } = options.change;
  const operations = [
    ...(cpuCount === undefined ? [] : [{ group: "cpu", operation: "set", value: wholeNumber(cpuCount, "cpuCount") }]),
    ...(memoryMib === undefined
      ? []
      : [{ group: "memory", operation: "set", value: wholeNumber(memoryMib, "memoryMib") }]),
  ];
  if (operations.length > 0) await setVm(client, vmId, { operations, signal: options.signal });
}

/**
 * Begins to make a VM under a job id of our own. It is made stopped and without specs: with both, the service would boot it,
 * stop it hard and boot it again.
 */
export async function beginCreate(
  client: ServiceClient,
  request: CreateFromCatalog,
  options: { readonly owner: string; readonly vmFolder: string; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const { jobId, name, architecture, catalogId, version } = request;
  for (const secret of [request.password, request.apiKey]) client.washer.add(secret);
  const connection = buildConnectionString(request);
  const answer = await client.call({
    method: "POST",
    path: "/machines/async",
    // Both together make the service take our id for the job, and for a repeated request the job that has it.
    headers: { "x-internal-api-client": "true", "x-orchestrator-job-id": jobId },
    body: {
      name,
      architecture,
      ...(options.owner === "" ? {} : { owner: options.owner }),
      start_on_create: false,
      catalog_manifest: {
        catalog_id: catalogId,
        version,
        connection,
        ...(options.vmFolder === "" ? {} : { path: options.vmFolder }),
      },
    },
    limitMs: client.limits.createMs,
    signal: options.signal,
  });
  const reply = decodeObject(parseJson(answer.text)?.value, "the reply to a create");
  if (textAt(reply, "id") !== jobId) throw new ParallelsError("failed", "the service did not take our id for the job");
}

/** The clone's id when the reply lacks it: the service looks it up too early at times. */
async function findVmId(client: ServiceClient, name: string, signal: AbortSignal | undefined): Promise<string> {
  const vms = decodeVms(
    await client.callJson({ method: "GET", path: "/machines", limitMs: client.limits.readMs, signal }),
  );
  const found = vms.filter((vm) => vm.name === name);
  const [vm] = found;
  if (vm === undefined || found.length > 1) {
    throw new ParallelsError("failed", `after the clone the list holds ${found.length} VMs of its name`);
  }
  return vm.id;
}

async function renewMacAddress(client: ServiceClient, vmId: string, signal: AbortSignal | undefined): Promise<void> {
  const options = [
    { flag: "device-set", value: "net0" },
    { flag: "mac", value: "auto" },
  ];
  await setVm(client, vmId, { operations: [{ group: "cmd", operation: "set", value: "", options }], signal });
}

async function setVm(
  client: ServiceClient,
  vmId: string,
  request: { readonly operations: readonly object[]; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const { operations, signal } = request;
  const path = pathOf`/machines/${vmId}/set`;
  const answer = await client.call({
    method: "PUT",
    path,
    body: { operations },
    limitMs: client.limits.changeMs,
    signal,
  });
  const reply = parseJson(answer.text)?.value;
  if (!isObject(reply)) return;
  const error = objectsAt(reply, "operations")
    .map((operation) => textAt(operation, "error"))
    .find((text) => text !== "");
  if (error !== undefined) throw new ParallelsError(judgeMessage(error), client.washer.wash(error));
}

/** The service takes a text for a number, and for 1 what is none. */
function wholeNumber(value: number, name: string): string {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new ParallelsError("failed", `${name} is not a whole number above 0`);
  return String(value);
}
