/**
 * The pool: every record, and the indexes that are derived from them. It is changed in place, by appliers alone, one event
 * at a time; the records themselves are values and are replaced. It collects what changed, for the engine to make durable
 * as one batch, and which VMs and hosts a planner has to look at.
 */
import { assert, required } from "../../shared/assert.ts";
import type { CatalogId, HostId, ServiceAccountId, TemplateId, TokenId, Uid, VmId } from "../../shared/ids.ts";
import { Accounts } from "./accounts.ts";
import { hasNewlyRevoked } from "./catalog.ts";
import type { RecordChange } from "./changes.ts";
import { Deadlines } from "./deadlines.ts";
import { Enrolments } from "./enrolments.ts";
import { History, type HistoryEntry } from "./history.ts";
import { hostMoves, vmMoves } from "./history-moves.ts";
import type { HostContact, HostRecord } from "./host.ts";
import { ImageErrands } from "./image-errands.ts";
import { HostLedger } from "./ledger.ts";
import { endedStayMs, type LifetimesRecord, observeLifetime } from "./lifetimes.ts";
import { historyEntriesMax, historyRetentionMs, requestRetentionMs } from "./limits.ts";
import { nextRemovalMs } from "./orphan.ts";
import { PoolCapacity } from "./pool-capacity.ts";
import { isLeaving, isPromised } from "./preemption.ts";
import { Preemptions } from "./preemptions.ts";
import { defaultProjectSpec, type ProjectRecord } from "./project.ts";
import { type ProjectLedger, ProjectLedgers } from "./project-ledgers.ts";
import { brokenBound } from "./quota.ts";
import { hostReservation, reservationOf } from "./reservation.ts";
import { defaultSettings, fillSettings, type PoolSettings, type SettingsRecord } from "./settings/settings.ts";
import type { CatalogRecord, RequestRecord, TemplateRecord } from "./template.ts";
import { isRevoked, revocationOf } from "./template-standing.ts";
import { TemplateVms } from "./template-vms.ts";
import { nextTemplateTroubleMs, nextTroubleMs } from "./trouble.ts";
import type { UrgentLanes } from "./urgent-lanes.ts";
import type { PoolView } from "./view.ts";
import { type VmRecord, type VmState, vmStates } from "./vm.ts";
import { vmDueMs } from "./vm-due.ts";
import { holdsMore, isSameToHost } from "./vm-effects.ts";
import type { WaitingQueue } from "./waiting-queue.ts";
import { WaitingVms } from "./waiting-vms.ts";

export class Pool implements PoolView {
  readonly hosts = new Map<HostId, HostRecord>();
  readonly vms = new Map<VmId, VmRecord>();
  readonly templates = new Map<TemplateId, TemplateRecord>();
  readonly catalogs = new Map<CatalogId, CatalogRecord>();
  readonly projects = new Map<string, ProjectRecord>();
  readonly requests = new Map<string, RequestRecord>();
  readonly lifetimes = new Map<TemplateId, LifetimesRecord>();

  readonly history = new History();
  readonly queue: WaitingQueue;
  readonly waiting: ReadonlySet<VmId>;
  readonly deadlines = new Deadlines();
  readonly enrolments = new Enrolments(this.deadlines, (change) => this.note(change));
  readonly accounts = new Accounts(this.deadlines, (change) => this.note(change));
  /** Deleted VMs whose records are still kept, the oldest first. */
  readonly deleted = new Set<VmId>();
  /** VMs and hosts that changed since a planner last looked at them. */
  readonly dirtyVms = new Set<VmId>();
  readonly dirtyHosts = new Set<HostId>();
  /** Hosts on which something changed that placement looks at, since it last looked. */
  readonly movedHosts = new Set<HostId>();
  /** Hosts that may have room that they had not, since placement last looked. */
  readonly wokenHosts = new Set<HostId>();
  /** Hosts that keep room for a VM, and those of them on which something changed since a planner last looked. */
  readonly reservations = new Map<HostId, VmId>();
  readonly movedReservations = new Set<HostId>();
  readonly preemptions = new Preemptions();
  readonly imageErrands = new ImageErrands({
    hosts: this.hosts,
    templates: this.templates,
    deadlines: this.deadlines,
    onDue: (host) => this.dirtyHosts.add(host),
  });

  private sealedRevision: number;
  private changes = new Map<string, RecordChange>();
  private readonly contacts = new Map<HostId, HostContact>();
  private readonly ledgers = new Map<HostId, HostLedger>();
  private readonly vmsByHost = new Map<HostId, Set<VmId>>();
  private readonly vmByUid = new Map<Uid, VmId>();
  private readonly stateCounts = new Map<VmState, number>(vmStates.map((state) => [state, 0]));
  private readonly templateVms = new TemplateVms();
  readonly projectLedgers = new ProjectLedgers();
  readonly capacity = new PoolCapacity();
  private readonly waitingVms = new WaitingVms(defaultSettings.queue);
  private moveCount = 0;
  private filledSettings = defaultSettings;
  private setSettings: SettingsRecord | undefined;
  private isRestoring = false;

  /** @param revision the store's revision. */
  constructor(revision: number) {
    this.sealedRevision = revision;
    this.queue = this.waitingVms.queue;
    this.waiting = this.waitingVms.ids;
  }

  get revision(): number {
    return this.hasChanges ? this.nextRevision : this.sealedRevision;
  }

  /** The revision of the batch that is being filled: what changed records carry. */
  get nextRevision(): number {
    return this.sealedRevision + 1;
  }

  get joinTokens(): PoolView["joinTokens"] {
    return this.enrolments.joinTokens;
  }

  get serviceAccounts(): PoolView["serviceAccounts"] {
    return this.accounts.serviceAccounts;
  }

  get tokens(): PoolView["tokens"] {
    return this.accounts.tokens;
  }

  get purgingTemplates(): PoolView["purgingTemplates"] {
    return this.imageErrands.purgingTemplates;
  }

  get prefetchHosts(): PoolView["prefetchHosts"] {
    return this.imageErrands.prefetchHosts;
  }

  get pullingHosts(): PoolView["pullingHosts"] {
    return this.imageErrands.pullingHosts;
  }

  get issuers(): PoolView["issuers"] {
    return this.accounts.issuers;
  }

  tokensOf(account: ServiceAccountId): ReadonlySet<TokenId> {
    return this.accounts.tokensOf(account);
  }

  get credentials(): PoolView["credentials"] {
    return this.enrolments.credentials;
  }

  get hostMoves(): number {
    return this.moveCount;
  }

  get settings(): PoolSettings {
    return this.filledSettings;
  }

  get settingsRecord(): SettingsRecord | undefined {
    return this.setSettings;
  }

  get waitingProjects(): number {
    return this.projectLedgers.waiting;
  }

  get urgent(): UrgentLanes {
    return this.waitingVms.urgent;
  }

  givingWayTo(id: VmId): ReadonlySet<VmId> {
    return this.preemptions.givingWayTo(id);
  }

  queuePosition(id: VmId): number {
    return this.waitingVms.positionOf(id);
  }

  contact(host: HostId): HostContact | undefined {
    return this.contacts.get(host);
  }

  ledger(host: HostId): HostLedger {
    let ledger = this.ledgers.get(host);
    if (ledger === undefined) {
      ledger = new HostLedger();
      this.ledgers.set(host, ledger);
    }
    return ledger;
  }

  vmsOn(host: HostId): ReadonlySet<VmId> {
    return this.vmsByHost.get(host) ?? noVms;
  }

  countVms(state: VmState): number {
    return this.stateCounts.get(state) ?? 0;
  }

  countVmsOf(template: TemplateId): number {
    return this.vmsOf(template).size;
  }

  vmsOf(template: TemplateId): ReadonlySet<VmId> {
    return this.templateVms.of(template);
  }

  /** What a project holds of the pool, for its weight. */
  shareOf(project: string): number {
    const { weight } = this.projects.get(project)?.spec ?? defaultProjectSpec;
    return this.capacity.shareOf(this.projectLedger(project), weight, this.projectLedgers.all);
  }

  projectLedger(project: string): ProjectLedger {
    return this.projectLedgers.of(project);
  }

  findVmByUid(uid: Uid): VmRecord | undefined {
    const id = this.vmByUid.get(uid);
    return id === undefined ? undefined : this.vms.get(id);
  }

  /** Takes the changes since the last call; they are the next revision. */
  seal(): readonly RecordChange[] {
    if (!this.hasChanges) return [];
    const page = this.history.takePage(this.nextRevision);
    if (page !== undefined) {
      this.note({ kind: "history", id: page.id, before: undefined, after: page });
      this.dropOldHistory({ entriesMax: historyEntriesMax, fromMs: 0 });
    }
    const sealed = [...this.changes.values()];
    this.changes = new Map();
    this.sealedRevision += 1;
    return sealed;
  }

  /** Tells the history of something that no record's own change tells. @param index see `History.note`. */
  noteHistory(entry: HistoryEntry, index?: number): void {
    this.history.note(entry, index);
  }

  /** Drops what the bounds do not keep of the history. */
  dropOldHistory(bounds: { readonly entriesMax: number; readonly fromMs: number }): void {
    for (const page of this.history.dropOld(bounds)) {
      this.note({ kind: "history", id: page.id, before: page, after: undefined });
    }
    const { oldestMs } = this.history;
    if (oldestMs !== undefined) this.deadlines.schedule("history", oldestMs + historyRetentionMs);
  }

  /** Takes on what is stored already: what `put` puts is no change, and nothing that happened. */
  restore(put: () => void): void {
    this.isRestoring = true;
    put();
    this.isRestoring = false;
  }

  putVm(after: VmRecord): void {
    const before = this.vms.get(after.id);
    if (!this.isRestoring) for (const move of vmMoves(before, after)) this.history.note(move);
    this.vms.set(after.id, after);
    this.note({ kind: "vm", id: after.id, before, after });
    this.indexVm(before, after);
    this.observeStay(before, after);
  }

  removeVm(id: VmId): void {
    const before = required(this.vms.get(id), "VM to remove");
    this.vms.delete(id);
    this.note({ kind: "vm", id, before, after: undefined });
    this.indexVm(before, undefined);
  }

  putHost(after: HostRecord): void {
    const before = this.hosts.get(after.id);
    if (!this.isRestoring) for (const move of hostMoves(before, after)) this.history.note(move);
    this.hosts.set(after.id, after);
    this.note({ kind: "host", id: after.id, before, after });
    this.imageErrands.followHost(before, after);
    this.indexHost(after);
  }

  removeHost(id: HostId): void {
    const before = required(this.hosts.get(id), "host to remove");
    assert(this.vmsOn(id).size === 0, `host ${id} was removed with VMs on it`);
    this.hosts.delete(id);
    this.imageErrands.forgetHost(id);
    this.contacts.delete(id);
    this.deadlines.cancel(`host/${id}`);
    this.capacity.add(this.ledger(id), -1);
    this.ledgers.delete(id);
    this.vmsByHost.delete(id);
    this.move(id);
    this.note({ kind: "host", id, before, after: undefined });
  }

  /** What is known of a host only as long as this server runs; nothing of it becomes durable. */
  setContact(id: HostId, contact: HostContact): void {
    const before = this.contacts.get(id);
    this.contacts.set(id, contact);
    this.ledger(id).setDisk(contact);
    this.deadlines.schedule(`host/${id}`, contact.silentAtMs);
    if (before?.isConnected !== contact.isConnected) this.imageErrands.followConnection(id);
    if (before?.isConnected !== contact.isConnected || before.diskFreeMib !== contact.diskFreeMib) this.move(id);
    if (before?.isConnected !== contact.isConnected || before.diskFreeMib < contact.diskFreeMib) this.wake(id);
  }

  putTemplate(after: TemplateRecord): void {
    const before = this.templates.get(after.id);
    this.templates.set(after.id, after);
    const troubleMs = nextTemplateTroubleMs(after.trouble, this.settings);
    if (troubleMs !== undefined) this.deadlines.schedule(`template/${after.id}`, troubleMs);
    this.note({ kind: "template", id: after.id, before, after });
    this.imageErrands.followTemplate(before, after);
    if (isRevoked(before) === isRevoked(after)) return;
    for (const id of this.vmsOf(after.id)) this.followWaiting(id, this.vms.get(id));
  }

  removeTemplate(id: TemplateId): void {
    const before = required(this.templates.get(id), "template to remove");
    this.templates.delete(id);
    this.deadlines.cancel(`template/${id}`);
    this.note({ kind: "template", id, before, after: undefined });
    this.imageErrands.followTemplate(before, undefined);
    const lifetimes = this.lifetimes.get(id);
    if (lifetimes === undefined) return;
    this.lifetimes.delete(id);
    this.note({ kind: "lifetimes", id, before: lifetimes, after: undefined });
  }

  putCatalog(after: CatalogRecord): void {
    const before = this.catalogs.get(after.id);
    this.catalogs.set(after.id, after);
    this.note({ kind: "catalog", id: after.id, before, after });
    if (before?.reading === after.reading) return;
    this.imageErrands.followReading();
    if (!this.isRestoring && hasNewlyRevoked(before?.reading, after.reading)) this.followVersions();
  }

  /** Rare enough to ask all VMs what they are made of. */
  private followVersions(): void {
    for (const [id, vm] of this.vms) {
      if (revocationOf(this, vm) === undefined) continue;
      this.followWaiting(id, vm);
      this.dirtyVms.add(id);
    }
  }

  removeCatalog(id: CatalogId): void {
    const before = required(this.catalogs.get(id), "catalog to remove");
    this.catalogs.delete(id);
    this.note({ kind: "catalog", id, before, after: undefined });
  }

  putLifetimes(after: LifetimesRecord): void {
    const before = this.lifetimes.get(after.id);
    this.lifetimes.set(after.id, after);
    this.note({ kind: "lifetimes", id: after.id, before, after });
  }

  putProject(after: ProjectRecord): void {
    const before = this.projects.get(after.id);
    this.projects.set(after.id, after);
    this.note({ kind: "project", id: after.id, before, after });
    this.wakeProject(after.id);
  }

  removeProject(id: string): void {
    const before = required(this.projects.get(id), "project to remove");
    this.projects.delete(id);
    this.wakeProject(id);
    this.note({ kind: "project", id, before, after: undefined });
  }

  putRequest(after: RequestRecord): void {
    const before = this.requests.get(after.id);
    this.requests.set(after.id, after);
    this.deadlines.schedule("requests", after.createTimeMs + requestRetentionMs);
    this.note({ kind: "request", id: after.id, before, after });
  }

  removeRequest(id: string): void {
    const before = required(this.requests.get(id), "request to remove");
    this.requests.delete(id);
    this.note({ kind: "request", id, before, after: undefined });
  }

  /** What was concluded under the settings as they were is left to whoever changes them. */
  putSettings(after: SettingsRecord): void {
    const before = this.setSettings;
    this.setSettings = after;
    this.filledSettings = fillSettings(after.spec, this.filledSettings);
    this.waitingVms.useSettings(this.filledSettings, this.vms);
    this.schedulePreemption();
    this.moveCount += 1;
    this.note({ kind: "settings", id: after.id, before, after });
  }

  private get hasChanges(): boolean {
    return this.changes.size > 0 || this.history.hasNoted;
  }

  /** A host may have room that it had not. */
  private wake(host: HostId): void {
    this.wokenHosts.add(host);
  }

  /** Has it looked, in time, whether a shape has been passed over for long enough. @param fromMs not before. */
  scheduleQueue(fromMs = 0): void {
    const dueMs = this.queue.passedOverDueMs;
    if (dueMs !== undefined) this.deadlines.schedule("queue", Math.max(dueMs, fromMs));
  }

  /** Has it looked, in time, whether others are to give way. */
  schedulePreemption(): void {
    const { dueMs } = this.urgent;
    if (dueMs !== undefined) this.deadlines.schedule("preemption", dueMs);
  }

  /** A project may have room in its quota that it had not. */
  private wakeProject(project: string): void {
    const { quota } = this.projects.get(project)?.spec ?? defaultProjectSpec;
    const ledger = this.projectLedger(project);
    this.queue.wakeProject(project, (shape) => brokenBound(quota, ledger, shape) === undefined);
  }

  /** Placement may find the host other than it was, better or worse. */
  private move(host: HostId): void {
    this.movedHosts.add(host);
    if (this.reservations.has(host)) this.movedReservations.add(host);
    this.moveCount += 1;
  }

  private note(change: RecordChange): void {
    if (this.isRestoring) return;
    const key = `${change.kind}/${change.id}`;
    const earlier = this.changes.get(key);
    if (earlier === undefined) {
      this.changes.set(key, change);
      return;
    }
    // Changes of one batch are seen together: from what was before the first to what is after the last. A record that came
    // and went within the batch is removed all the same, which costs a line and needs no case of its own.
    // The cast holds because both changes are of the same kind: it is part of the key.
    this.changes.set(key, { ...change, before: earlier.before } as RecordChange);
  }

  private indexHost(host: HostRecord): void {
    const ledger = this.ledger(host.id);
    this.capacity.add(ledger, -1);
    ledger.setHost(host);
    this.capacity.add(ledger, 1);
    const drainEndMs = host.spec.drain?.deadlineMs;
    if (drainEndMs !== undefined) this.deadlines.schedule(`host/${host.id}`, drainEndMs);
    const removalMs = nextRemovalMs(host);
    if (removalMs !== undefined) this.deadlines.schedule(`host/${host.id}`, removalMs);
    const troubleMs = nextTroubleMs(host.trouble, this.settings);
    if (troubleMs !== undefined) this.deadlines.schedule(`host/${host.id}`, troubleMs);
    this.dirtyHosts.add(host.id);
    this.move(host.id);
    this.wake(host.id);
  }

  private indexVm(before: VmRecord | undefined, after: VmRecord | undefined): void {
    const id = required(after ?? before, "VM").id;
    this.count(before, -1);
    this.count(after, 1);
    if (before !== undefined && before.uid !== after?.uid) this.vmByUid.delete(before.uid);
    if (after !== undefined) this.vmByUid.set(after.uid, id);
    this.indexPlaced(before, after);
    this.templateVms.follow(before, after);
    this.followWaiting(id, after);
    this.indexReservation(before, after);
    this.indexPreemption(before, after);
    if (before?.host === undefined && after?.host !== undefined) this.scheduleQueue();
    if (before !== undefined && holdsQuota(before) && !holdsQuota(after)) this.wakeProject(before.spec.project);
    if (after?.state === "DELETED") this.deleted.add(id);
    else this.deleted.delete(id);
    if (after === undefined) {
      this.deadlines.cancel(`vm/${id}`);
      return;
    }
    this.dirtyVms.add(id);
    this.noteProbe(after);
    const dueMs = vmDueMs(after, this.settings);
    if (dueMs !== undefined) this.deadlines.schedule(`vm/${id}`, dueMs);
  }

  /** One that waits for what is revoked is nobody's to place. */
  private followWaiting(id: VmId, vm: VmRecord | undefined): void {
    const waits = vm !== undefined && !(vm.state === "PENDING" && revocationOf(this, vm) !== undefined);
    this.waitingVms.follow(id, waits ? vm : undefined);
    this.schedulePreemption();
  }

  /** VMs that were adopted are of no template, and those of one that is gone are not remembered. */
  private observeStay(before: VmRecord | undefined, after: VmRecord): void {
    const spanMs = endedStayMs(before, after);
    const { template: id } = after.spec;
    // How long it would have stayed by itself is not known.
    if (after.endReason === "Preempted" || before?.notice?.isOver === true) return;
    if (spanMs === undefined || !this.templates.has(id)) return;
    this.putLifetimes(observeLifetime(this.lifetimes.get(id), { id, spanMs, timeMs: after.updateTimeMs }));
  }

  /** What becomes of the VM that a host in quarantine is tried with is looked at. */
  private noteProbe({ host, uid }: VmRecord): void {
    if (host !== undefined && this.hosts.get(host)?.trouble?.quarantine?.probe === uid) this.dirtyHosts.add(host);
  }

  private count(vm: VmRecord | undefined, sign: 1 | -1): void {
    if (vm === undefined) return;
    this.stateCounts.set(vm.state, this.countVms(vm.state) + sign);
    this.projectLedgers.add(vm, sign);
  }

  private indexReservation(before: VmRecord | undefined, after: VmRecord | undefined): void {
    const was = reservationOf(before);
    const is = reservationOf(after);
    if (was !== undefined && was.host !== is?.host) {
      this.reservations.delete(was.host);
      this.ledger(was.host).keepRoom(undefined, []);
      this.move(was.host);
      this.wake(was.host);
    }
    if (is === undefined || after === undefined) return;
    this.reservations.set(is.host, after.id);
    this.movedReservations.add(is.host);
    const vms = [...this.vmsOn(is.host)].flatMap((id) => this.vms.get(id) ?? []);
    this.ledger(is.host).keepRoom(hostReservation(after, is), vms);
    if (was?.host !== is.host) this.move(is.host);
  }

  private indexPreemption(before: VmRecord | undefined, after: VmRecord | undefined): void {
    this.preemptions.follow(before, after);
    if (before === undefined || !isPromised(before) || (after !== undefined && isPromised(after))) return;
    // Nobody gives way for it any more.
    for (const victim of this.givingWayTo(before.id)) this.dirtyVms.add(victim);
  }

  private indexPlaced(before: VmRecord | undefined, after: VmRecord | undefined): void {
    if (!isSameToHost(before, after)) {
      if (before?.host !== undefined) this.move(before.host);
      if (after?.host !== undefined) this.move(after.host);
    }
    if (before?.host !== undefined) {
      this.ledger(before.host).addVm(before, -1);
      if (after?.host !== before.host) this.vmsByHost.get(before.host)?.delete(before.id);
    }
    if (after?.host !== undefined) {
      this.ledger(after.host).addVm(after, 1);
      let onHost = this.vmsByHost.get(after.host);
      if (onHost === undefined) {
        onHost = new Set();
        this.vmsByHost.set(after.host, onHost);
      }
      onHost.add(after.id);
    }
    const isComingFree = after !== undefined && before !== undefined && isLeaving(after) !== isLeaving(before);
    if (isComingFree && after.host !== undefined && this.reservations.has(after.host)) this.move(after.host);
    if (before?.host !== undefined && holdsMore(before, after)) {
      this.wake(before.host);
      this.dirtyHosts.add(before.host);
    }
  }
}

const noVms: ReadonlySet<VmId> = new Set();

/** Whether it counts for its project's quota. */
function holdsQuota(vm: VmRecord | undefined): boolean {
  return vm !== undefined && (vm.host !== undefined || isPromised(vm));
}
