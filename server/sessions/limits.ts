/** The bounds of the link to the agents, each with its reason. Times are in ms. */

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const mib = 1024 * 1024;

/** The version of the protocol that this server serves. */
export const protocolVersion = 1;

// --- Streams.

/** How long a stream may be open without a Hello: an agent sends it at once, so whoever does not is no agent. */
export const helloMaxMs = 10 * secondMs;

/** How long a session may take to become durable: a sync takes milliseconds, so beyond this the storage is in trouble. */
export const openingMaxMs = 30 * secondMs;

/** How long an ended stream may take to hand its last words over before it is reset. */
export const farewellMaxMs = 5 * secondMs;

/** How long all streams together may take to close when the server stops: the farewell, and a beat to see that it is over. */
export const leavingMaxMs = 8 * secondMs;

/** Streams in all, open or not: four times the hosts that one server is meant for, so that all can come back at once. */
export const streamsMax = 40_000;

/** How often all sessions are looked at for silence and stalls; one pass over 10,000 takes less than a millisecond. */
export const sweepPeriodMs = 1 * secondMs;

/** One message in bytes: a whole inventory of `hostVmsMax` VMs is a quarter of it, an answer of a short command the most. */
export const messageBytesMax = 4 * mib;

// --- Manners that the server asks for.

/** Agents are told of a new period only when it differs by so much from theirs; each change is a message to every host. */
export const periodChangeMin = 0.25;

/** Disk below which a host takes no new VM: macOS itself becomes unreliable with less, and a suspended VM needs room. */
export const diskReserveMib = 20 * 1024;

/** When an agent that claims another Mac's host id may ask again: often enough for a Mac that replaces a broken one. */
export const hostIdTakenRetryMs = 1 * minuteMs;

/** When an agent whose certificates were revoked may ask again: somebody would have to enrol it first. */
export const revokedRetryMs = 5 * minuteMs;

/** When an agent that this server cannot serve may ask again: the server may have been upgraded by then. */
export const unservedRetryMs = 5 * minuteMs;

/** Inventories asked for at most so often: listing everything costs the Mac, and the answer is on its way already. */
export const wholeInventoryPeriodMs = 30 * secondMs;

// --- Queues of one session.

/** What an agent may have sent and the server not have made durable yet, by weight; beyond, reading is paused. */
export const inFlightWeightMax = 64;

/** An inventory weighs as much as so many heartbeats: it may hold a thousand VMs. */
export const inventoryWeight = 16;

/** Messages to an agent that may wait; a Mac runs a few VMs, so an agent that lets so many gather is not reading. */
export const waitingMessagesMax = 1024;

/** How long messages to an agent may wait without any being taken. */
export const stallMaxMs = 30 * secondMs;

/** Direct calls under way on one host: each occupies the guest tools of a VM, of which a Mac runs a few. */
export const callsPerHostMax = 64;

/** Commands written in one turn of the event loop: each costs some 40 microseconds, and heartbeats wait meanwhile. */
export const dispatchChunk = 256;

// --- What one message may hold. Beyond: refused, because leaving some out would tell a wrong story.

/** VMs on one host. Mac users have tens. */
export const hostVmsMax = 1000;
/** Images in one host's cache; each is tens of gigabytes. */
export const imagesMax = 1000;
/** Results of the preflight. */
export const conditionsMax = 64;
/** Ends of commands that an agent repeats in its Hello. */
export const commandReportsMax = 1000;
/** Labels of an agent. */
export const labelsMax = 64;
/** An id; those of Parallels Desktop have 36 characters. */
export const idLengthMax = 128;
/** A label's key and value, as in the public interface. */
export const labelLengthMax = 63;

// --- What one message may hold. Beyond: cut or held at the bound, because the rest still tells the story.

/** Addresses of one VM. */
export const addressesMax = 16;
/** A word: a state, a reason, a version. */
export const wordLengthMax = 64;
/** A name of a VM, of a chip, an address. */
export const nameLengthMax = 256;
/** A sentence for people. */
export const sentenceLengthMax = 1024;
/** CPUs; the largest Mac has 32. */
export const cpuCountMax = 1024;
/** Memory: 16 TiB. */
export const memoryMibMax = 16 * mib;
/** Disk: 1 PiB. */
export const diskMibMax = 1024 * mib;
/** macOS guests on one host; the licence allows two. */
export const macosGuestsMax = 1000;
/** How long a VM has been running: a hundred years. */
export const uptimeSecondsMax = 100 * 366 * 24 * 3600;
/** A guess of what is left of a command: a day. */
export const etaMaxMs = 24 * 60 * minuteMs;

// --- How long a command may go on without any progress before the agent gives it up.

/** A download over a slow line reports at least each few seconds; ten minutes without a word is a hung service. */
export const createSilenceMs = 10 * minuteMs;
/** Beyond the readiness timeout: powering on, and a graceful stop before it. */
export const startSilenceMarginMs = 2 * minuteMs;
/** Stopping waits for a guest that installs updates; suspending writes all memory to disk. */
export const changeSilenceMs = 5 * minuteMs;
