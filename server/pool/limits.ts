/** The bounds of the pool itself, each with its reason. Times are in ms. */

const secondMs = 1000;
const minuteMs = 60 * secondMs;

/**
 * The heartbeat's period: 10 s, and longer in a pool so large that its heartbeats would be more than 1,000 a second, which
 * take about a tenth of a core (9,000 agents with 891 a second were measured).
 */
export function heartbeatPeriodMs(hostCount: number): number {
  return Math.max(10 * secondMs, hostCount);
}

/** How long a connected host may take to say that it has taken a create on. */
export const placedMaxMs = 2 * minuteMs;

/** How long the making of a VM may go on without any progress: the agent gives up after 10 minutes; this is the net. */
export const createSilenceMaxMs = 12 * minuteMs;

/** What a VM gets beyond its readiness timeout to be started: powering on, and the agent's report. */
export const startMarginMs = 2 * minuteMs;

/** How long stopping, suspending and pausing may take: suspending writes all memory to disk. */
export const changeMaxMs = 10 * minuteMs;

/** How many deleted VMs' records are kept at most: the oldest go first. About 30 MB. */
export const deletedRecordsMax = 20_000;

/** How long a create's `request_id` is remembered: a client's retries end long before. */
export const requestRetentionMs = 60 * minuteMs;

/**
 * What a host gets beyond the server's own bound of a VM's life: time for the server's delete to arrive first, and short
 * enough for the host to be done within 10 s when it does not.
 */
export const leaseMarginMs = 2 * secondMs;

/** How much of the history is kept: about 100 MB in memory at worst, and as much on disk. */
export const historyEntriesMax = 100_000;

/** How long the history is kept: what an auditor asks for later has been exported by then. */
export const historyRetentionMs = 30 * 24 * 60 * minuteMs;

/** How many service accounts there may be, and how many tokens each may have: enough for one a team and a build system. */
export const serviceAccountsMax = 10_000;
export const tokensPerAccountMax = 20;

/** How many issuers there may be. */
export const issuersMax = 100;

/** How long a token that has expired is still shown, so that whoever uses it is told so. */
export const expiredTokenRetentionMs = 7 * 24 * 60 * minuteMs;

/** How often a step is tried again on its host before the VM fails. A delete is tried for ever. */
export const stepRetriesMax = 3;

/** In how many sessions a command is sent again without any progress: a command that its agent does not survive, for one. */
export const resendsMax = 10;

/** How often a VM is placed anew because hosts refused it before they began. */
export const displacementsMax = 10;

/** The wait before a step's first retry; it doubles up to the maximum. */
export const retryBaseMs = 1 * secondMs;
export const retryMaxMs = 1 * minuteMs;

/** How long a VM with a name of ours that no VM of the pool has is shown on its host before it is removed there. */
export const orphanGraceMs = 10 * minuteMs;

/** How many orphans, and how many images, a host removes at once: each is work for its disk, and nobody waits for them. */
export const removalsPerHostMax = 4;

/** How long after the end of notice room is still kept: deletes fail at times, and heartbeats tell of the disk that is free. */
export const promisedRoomMaxMs = 10 * minuteMs;

/** How soon a VM is looked at again that nothing gives way to. */
export const preemptionLookAgainMs = 10 * secondMs;

/**
 * How many lanes are looked at in a row for others to give way, how many hosts for each, and the pause after that: at most some
 * milliseconds in each second, however much waits.
 */
export const preemptionLooksMax = 4;
export const preemptionHostsMax = 1_000;
export const preemptionPauseMs = 200;

/** Up to how many preemptible VMs on a host every choice among them is compared: 4,096 choices. */
export const exactVictimsMax = 12;

/** How many failures a host remembers: more than any bound that leads into quarantine. */
export const hostFailuresMax = 50;

/** How many hosts a template remembers that it failed on, and how many that it works on: enough to tell whose fault it is. */
export const troubledHostsMax = 64;

/** How many entries of a VM's timeline are kept: the first, which tells of the wait, and the newest. */
export const timelineMax = 64;

/** The wait before the retry that follows `retryCount` failures. */
export function retryDelayMs(retryCount: number): number {
  return Math.min(retryMaxMs, retryBaseMs * 2 ** Math.min(retryCount, 20));
}

/** How long a VM must have been running for its stopping by itself to count as the first time. */
export const stableAfterMs = 10 * minuteMs;

/**
 * How many projects there may be, created or named by VMs: choosing between those that wait takes a look at each, some
 * microseconds for so many.
 */
export const projectsMax = 1000;

/** How many join tokens there may be; a rollout makes hundreds. */
export const joinTokensMax = 10_000;

/** How long a join token is kept for a look after it has expired. */
export const joinTokenRetentionMs = 7 * 24 * 60 * minuteMs;

/** How many VMs may wait for a host. About 300 MB of records. */
export const waitingMax = 200_000;

/** How many hosts are told in one batch to remove images: a purge of 10,000 would stall everybody for a third of a second. */
export const purgesPerBatchMax = 500;

/** How many VMs a revocation ends in its own batch; the planner ends the others in those that follow, a thousand each. */
export const revokedPerBatchMax = 5_000;
