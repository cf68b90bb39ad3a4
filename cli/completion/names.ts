/** Names to complete: asked of the server with a short deadline, since someone's finger is on Tab. No answer is no names. */
import { createClient, type Transport } from "@connectrpc/connect";
import { AccessService } from "../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { CatalogService } from "../../shared/gen/es/meridian/v1/catalog_service_pb.ts";
import { HostService } from "../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { TemplateService } from "../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { VmStatus_State } from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import { VmService } from "../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { parseFingerprint } from "../../shared/tls/fingerprint.ts";
import { openTransport, resolveConnection } from "../connection.ts";
import { contextFilePath, readContextFile } from "../context-file.ts";
import { templateSource } from "../template/views.ts";
import type { Terminal } from "../terminal.ts";
import { shortName } from "../values/name.ts";
import { vmState } from "../vm/views.ts";
import type { Candidate } from "./candidate.ts";

const deadlineMs = 1000;
/** More names than this are no help. */
const namesMax = 200;

const request = { pageSize: namesMax };

const sources = {
  vm: async (transport: Transport) => {
    const { vms } = await createClient(VmService, transport).listVms(request);
    return vms
      .filter(({ status }) => status?.state !== VmStatus_State.DELETED)
      .map((vm) => ({ text: shortName(vm.name), description: vmState(vm) }));
  },
  host: async (transport: Transport) => {
    const { hosts } = await createClient(HostService, transport).listHosts(request);
    return hosts.map(({ name, status }) => ({ text: shortName(name), description: status?.chip ?? "" }));
  },
  template: async (transport: Transport) => {
    const { templates } = await createClient(TemplateService, transport).listTemplates(request);
    return templates.map((template) => ({ text: shortName(template.name), description: templateSource(template) }));
  },
  catalog: async (transport: Transport) => {
    const { catalogs } = await createClient(CatalogService, transport).listCatalogs(request);
    return catalogs.map(({ name, spec }) => ({ text: shortName(name), description: spec?.url ?? "" }));
  },
  project: async (transport: Transport) => {
    const { projects } = await createClient(AccessService, transport).listProjects(request);
    return projects.map(({ name, spec }) => ({ text: shortName(name), description: spec?.displayName ?? "" }));
  },
  account: async (transport: Transport) => {
    const { serviceAccounts } = await createClient(AccessService, transport).listServiceAccounts(request);
    return serviceAccounts.map(({ name, spec }) => ({ text: shortName(name), description: spec?.description ?? "" }));
  },
  issuer: async (transport: Transport) => {
    const { issuers } = await createClient(AccessService, transport).listIssuers(request);
    return issuers.map(({ name, spec }) => ({ text: shortName(name), description: spec?.url ?? "" }));
  },
} as const;

type Named = keyof typeof sources | "context";

/** Whether arguments and flags of this name stand for something that has names. */
export function isNamed(name: string): name is Named {
  return name === "context" || Object.hasOwn(sources, name);
}

export async function completeNames(
  name: Named,
  given: ReadonlyMap<string, string>,
  terminal: Terminal,
): Promise<readonly Candidate[]> {
  try {
    if (name === "context") {
      const { contexts } = readContextFile(contextFilePath(terminal.environment));
      return Object.entries(contexts).map(([text, { server }]) => ({ text, description: server }));
    }
    const setting = (flag: string, variable: string) => given.get(flag) ?? terminal.environment[variable];
    const connection = await resolveConnection(
      {
        server: setting("server", "MERIDIAN_SERVER"),
        token: setting("token", "MERIDIAN_TOKEN"),
        tokenCommand: setting("token-command", "MERIDIAN_TOKEN_COMMAND"),
        context: setting("context", "MERIDIAN_CONTEXT"),
        timeoutMs: deadlineMs,
        insecure: false,
        caFile: setting("ca-file", "MERIDIAN_CA_FILE"),
        caFingerprint: parseFingerprint(setting("ca-fingerprint", "MERIDIAN_CA_FINGERPRINT") ?? ""),
      },
      terminal,
    );
    const { transport, close } = openTransport(connection);
    try {
      return await sources[name](transport);
    } finally {
      close();
    }
  } catch {
    // Nothing may be printed in the middle of somebody's command line.
    return [];
  }
}
