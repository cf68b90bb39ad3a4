/**
 * A request for every call that changes something, each of which succeeds on the pool that it is made for: whatever it needs
 * to be there is made first. A call that is missing here fails the tests that walk through all of them.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { AccessService } from "../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { CatalogService } from "../../../shared/gen/es/meridian/v1/catalog_service_pb.ts";
import { ControlHostVmRequest_Action, HostService } from "../../../shared/gen/es/meridian/v1/host_service_pb.ts";
import type { IssuerSpecSchema } from "../../../shared/gen/es/meridian/v1/issuer_pb.ts";
import { Role } from "../../../shared/gen/es/meridian/v1/service_account_pb.ts";
import type { TemplateSpecSchema } from "../../../shared/gen/es/meridian/v1/template_pb.ts";
import { TemplateService } from "../../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { Architecture, GuestOs } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import { VmStatus_State } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { VmService } from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { until } from "../e2e/until.ts";
import type { SecurePool } from "./secure-pool.ts";

export interface ChangingCall {
  readonly request: object;
  /** What it is about; empty for the pool itself. */
  readonly resource: string;
  /** The fields that it gives another value. */
  readonly fields?: readonly string[];
}

const templateSpec: MessageInitShape<typeof TemplateSpecSchema> = {
  source: { case: "hostVm", value: { vmName: "golden" } },
  guestOs: GuestOs.LINUX,
  architecture: Architecture.ARM64,
  resources: { cpuCount: 1, memoryMib: 1024, diskMib: 8192 },
};
const vmSpec = { template: "templates/golden", placement: { host: "hosts/mac-1" } };
const wanted = ["wanted"];

export class ChangingCalls {
  private readonly pool: SecurePool;
  private readonly vms: Client<typeof VmService>;
  private readonly hosts: Client<typeof HostService>;
  private readonly templates: Client<typeof TemplateService>;
  private readonly catalogs: Client<typeof CatalogService>;
  private readonly access: Client<typeof AccessService>;
  private count = 0;
  /** The newest VM that was made to run. */
  private running: string | undefined;

  /** @param transport an admin's. */
  static async open(pool: SecurePool, transport: Transport): Promise<ChangingCalls> {
    const calls = new ChangingCalls(pool, transport);
    for (const id of ["mac-1", "mac-2"]) {
      pool.startAgent(await pool.enrol(id));
      await until(`${id} is ready`, async () => (await pool.host(id))?.status?.placeable === true);
    }
    await calls.templates.createTemplate({ templateId: "golden", template: { spec: templateSpec } });
    return calls;
  }

  private constructor(pool: SecurePool, transport: Transport) {
    this.pool = pool;
    this.vms = createClient(VmService, transport);
    this.hosts = createClient(HostService, transport);
    this.templates = createClient(TemplateService, transport);
    this.catalogs = createClient(CatalogService, transport);
    this.access = createClient(AccessService, transport);
  }

  /** By the RPC's name. */
  readonly calls: Readonly<Record<string, () => Promise<ChangingCall> | ChangingCall>> = {
    CreateVm: () => ({ request: { vmId: "made", vm: { spec: vmSpec } }, resource: "vms/made" }),
    BatchCreateVms: () => ({ request: { requests: [{ vmId: "one", vm: { spec: vmSpec } }] }, resource: "vms/one" }),
    UpdateVm: async () => {
      const name = await this.waitingVm();
      const spec = { priority: 70, labels: { team: "a" } };
      return { request: { vm: { name, spec } }, resource: name, fields: ["priority", "labels"] };
    },
    StartVm: async () => named(await this.vmIn("STOPPED"), wanted),
    StopVm: async () => named(await this.vmIn("RUNNING"), wanted),
    SuspendVm: async () => named(await this.vmIn("RUNNING"), wanted),
    ResumeVm: async () => named(await this.vmIn("SUSPENDED"), wanted),
    PauseVm: async () => named(await this.vmIn("RUNNING"), wanted),
    RestartVm: async () => named(await this.vmIn("RUNNING")),
    ResetVm: async () => named(await this.vmIn("RUNNING")),
    DeleteVm: async () => named(await this.waitingVm(), wanted),
    RenewVm: async () => {
      const name = await this.vmIn("RUNNING", { leaseDuration: { seconds: 600n } });
      return { request: { name, leaseDuration: { seconds: 900n } }, resource: name, fields: ["lease_duration"] };
    },
    CloneVm: async () => ({ request: { name: await this.vmIn("STOPPED"), vmId: "copy" }, resource: "vms/copy" }),
    ExecVm: async () => {
      const name = await this.vmIn("RUNNING");
      return { request: { payload: { case: "start", value: { name, command: ["true"] } } }, resource: name };
    },
    AdoptVm: () => ({ request: { host: "hosts/mac-2", hostVm: "by-hand", vmId: "taken" }, resource: "vms/taken" }),

    UpdateHost: () => {
      const spec = { labels: { rack: "3" } };
      return { request: { host: { name: "hosts/mac-1", spec } }, resource: "hosts/mac-1", fields: ["labels"] };
    },
    CordonHost: () => named("hosts/mac-2", ["schedulable"]),
    UncordonHost: async () => {
      await this.hosts.cordonHost({ name: "hosts/mac-2" });
      return named("hosts/mac-2", ["schedulable"]);
    },
    ReleaseHost: () => named("hosts/mac-2"),
    DrainHost: async () => {
      await this.hosts.uncordonHost({ name: "hosts/mac-2" });
      const request = { name: "hosts/mac-2", reason: "macOS update" };
      return { request, resource: "hosts/mac-2", fields: ["schedulable", "drain.reason", "drain.then"] };
    },
    RevokeHost: async () => named(await this.newHost()),
    DeleteHost: async () => named(await this.newHost()),
    ControlHostVm: async () => {
      const host = await this.newHost(true);
      const request = { name: host, hostVm: "by-hand", action: ControlHostVmRequest_Action.START };
      return { request, resource: host };
    },

    CreateTemplate: () => ({
      request: { templateId: "new", template: { spec: templateSpec } },
      resource: "templates/new",
    }),
    UpdateTemplate: async () => {
      const name = await this.newTemplate();
      const request = { template: { name, spec: { description: "changed" } } };
      return { request, resource: name, fields: ["description"] };
    },
    DeleteTemplate: async () => named(await this.newTemplate()),
    TaintTemplate: async () => {
      const name = await this.newTemplate();
      return { request: { name, reason: "old tools" }, resource: name };
    },
    RevokeTemplate: async () => {
      const name = await this.newTemplate();
      return { request: { name, reason: "leaked" }, resource: name };
    },
    PrefetchTemplate: async () => {
      const name = await this.newTemplate();
      const catalog = { catalog: await this.newCatalog(), catalogId: "UBUNTU", version: "v1" };
      await this.templates.updateTemplate({
        template: { name, spec: { source: { case: "catalog", value: catalog } } },
        updateMask: { paths: ["spec.catalog"] },
      });
      return named(name);
    },
    RestoreTemplate: async () => {
      const name = await this.newTemplate();
      await this.templates.taintTemplate({ name, reason: "old tools" });
      return named(name);
    },

    CreateCatalog: () => ({
      request: { catalogId: "new", catalog: { spec: { url: "https://catalog.test" } } },
      resource: "catalogs/new",
    }),
    UpdateCatalog: async () => {
      const name = await this.newCatalog();
      const request = { catalog: { name, spec: { description: "changed" } } };
      return { request, resource: name, fields: ["description"] };
    },
    DeleteCatalog: async () => named(await this.newCatalog()),

    UpdateSettings: () => ({
      request: { settings: { spec: { hosts: { lostAfter: { seconds: 1000n } }, vms: { withoutLease: 1 } } } },
      resource: "settings",
      fields: ["hosts.lost_after", "vms.without_lease"],
    }),
    Backup: () => ({ request: {}, resource: "" }),

    CreateProject: () => ({ request: { projectId: "new", project: { spec: {} } }, resource: "projects/new" }),
    UpdateProject: async () => {
      const name = await this.newProject();
      const request = { project: { name, spec: { weight: 3 } } };
      return { request, resource: name, fields: ["weight"] };
    },
    DeleteProject: async () => named(await this.newProject()),
    CreateJoinToken: () => ({
      request: { joinTokenId: "new", joinToken: { spec: {} } },
      resource: "joinTokens/new",
    }),
    RevokeJoinToken: async () => named(await this.newJoinToken()),
    DeleteJoinToken: async () => named(await this.newJoinToken()),
    CreateServiceAccount: () => ({
      request: { serviceAccountId: "new", serviceAccount: { spec: {} } },
      resource: "serviceAccounts/new",
    }),
    UpdateServiceAccount: async () => {
      const name = await this.newServiceAccount();
      const spec = { bindings: [{ role: Role.VIEWER }], disabled: true };
      return { request: { serviceAccount: { name, spec } }, resource: name, fields: ["bindings", "disabled"] };
    },
    DeleteServiceAccount: async () => named(await this.newServiceAccount()),
    CreateIssuer: () => ({
      request: { issuerId: "new", issuer: { spec: issuerSpec("new") } },
      resource: "issuers/new",
    }),
    UpdateIssuer: async () => {
      const name = await this.newIssuer();
      const spec = { audiences: ["other"], disabled: true };
      return { request: { issuer: { name, spec } }, resource: name, fields: ["audiences", "disabled"] };
    },
    DeleteIssuer: async () => named(await this.newIssuer()),
    CreateToken: async () => {
      const serviceAccount = await this.newServiceAccount();
      return { request: { token: { spec: { serviceAccount } } }, resource: "tokens/" };
    },
    RevokeToken: async () => {
      const serviceAccount = await this.newServiceAccount();
      const { token } = await this.access.createToken({ token: { spec: { serviceAccount } } });
      return named(token?.name ?? "");
    },
    RotateCertificateAuthority: () => ({ request: {}, resource: "" }),
    RotateSecretsKey: () => ({ request: {}, resource: "" }),
    FinishCertificateAuthorityRotation: () => ({ request: { force: true }, resource: "" }),
  };

  private next(): string {
    this.count += 1;
    return `made-${this.count}`;
  }

  private async waitingVm(): Promise<string> {
    const vmId = this.next();
    await this.vms.createVm({ vmId, vm: { spec: { ...vmSpec, resources: { cpuCount: 100 } } } });
    return `vms/${vmId}`;
  }

  private async vmIn(state: "RUNNING" | "STOPPED" | "SUSPENDED", fields: object = {}): Promise<string> {
    const vmId = this.next();
    const name = `vms/${vmId}`;
    // One at a time: a Mac is soon full.
    if (this.running !== undefined) await this.vms.deleteVm({ name: this.running, force: true });
    this.running = name;
    await this.vms.createVm({ vmId, vm: { spec: { ...vmSpec, ...fields } } });
    await this.vms.waitVm({ name, states: [VmStatus_State.RUNNING] });
    if (state === "STOPPED") await this.vms.stopVm({ name, force: true });
    else if (state === "SUSPENDED") await this.vms.suspendVm({ name });
    await this.vms.waitVm({ name, states: [VmStatus_State[state]] });
    return name;
  }

  /** An enrolled host, without an agent unless one is asked for. */
  private async newHost(hasAgent = false): Promise<string> {
    const id = this.next();
    const enrolled = await this.pool.enrol(id);
    if (hasAgent) {
      this.pool.startAgent(enrolled);
      await until(`${id} is ready`, async () => (await this.pool.host(id))?.status?.placeable === true);
    }
    return `hosts/${id}`;
  }

  private async newTemplate(): Promise<string> {
    const templateId = this.next();
    await this.templates.createTemplate({ templateId, template: { spec: templateSpec } });
    return `templates/${templateId}`;
  }

  private async newCatalog(): Promise<string> {
    const catalogId = this.next();
    await this.catalogs.createCatalog({ catalogId, catalog: { spec: { url: "https://catalog.test" } } });
    return `catalogs/${catalogId}`;
  }

  private async newProject(): Promise<string> {
    const projectId = this.next();
    await this.access.createProject({ projectId, project: { spec: {} } });
    return `projects/${projectId}`;
  }

  private async newJoinToken(): Promise<string> {
    const joinTokenId = this.next();
    await this.access.createJoinToken({ joinTokenId, joinToken: { spec: {} } });
    return `joinTokens/${joinTokenId}`;
  }

  private async newServiceAccount(): Promise<string> {
    const serviceAccountId = this.next();
    await this.access.createServiceAccount({ serviceAccountId, serviceAccount: { spec: {} } });
    return `serviceAccounts/${serviceAccountId}`;
  }
  private async newIssuer(): Promise<string> {
    const issuerId = this.next();
    await this.access.createIssuer({ issuerId, issuer: { spec: issuerSpec(issuerId) } });
    return `issuers/${issuerId}`;
  }
}

function issuerSpec(id: string): MessageInitShape<typeof IssuerSpecSchema> {
  return { url: `https://${id}.example.com`, audiences: ["meridian"] };
}

function named(name: string, fields?: readonly string[]): ChangingCall {
  return { request: { name }, resource: name, ...(fields === undefined ? {} : { fields }) };
}
