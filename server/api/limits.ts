/**
 * Every bound of the public API, with its reason. A request beyond one is refused with FIELD_INVALID, EXPRESSION_INVALID or
 * LIMIT_REACHED, never cut.
 */

/** What one VM may ask for: the largest Mac of today has 32 CPUs, 512 GiB and 16 TiB; the bounds leave room above. */
export const resourceBounds = {
  cpuCount: { least: 1, most: 128 },
  /** No guest system starts in less than 512 MiB. */
  memoryMib: { least: 512, most: 4 * 1024 * 1024 },
  diskMib: { least: 1024, most: 64 * 1024 * 1024 },
} as const;

/** Ids of requests are remembered, so they are short. */
export const requestIdLengthMax = 128;
/** Etags that the server makes have about 20 characters. */
export const etagLengthMax = 64;
/** Descriptions and reasons are read by people in tables. */
export const descriptionLengthMax = 1024;
/** As Kubernetes has it, so that label keys can be carried over. */
export const labelsMax = 64;
/** Projects that may use a template, and roles: as many as there are, and some to spare. */
export const accessProjectsMax = 64;
export const accessRolesMax = 8;
/** Long enough for a path or a branch, short enough for a table. */
export const labelValueLengthMax = 128;
/** Annotations are kept in memory with their VM: a hundred thousand VMs with this much are 1.6 GB. */
export const annotationsMax = 64;
export const annotationValueLengthMax = 4096;
export const annotationsLengthMax = 16_384;
/** Expressions and their values are looked at for every host of every placement. */
export const labelExpressionsMax = 32;
export const labelExpressionValuesMax = 64;
/** Names of the world outside: templates' versions, ids in catalogs, names of VMs in Parallels Desktop. */
export const foreignNameLengthMax = 128;
export const urlLengthMax = 2048;
/** Passwords and keys; connection strings are passed on in one line. */
export const credentialLengthMax = 512;
export const projectLengthMax = 63;
/** As many as a page of a list; they are placed in one event, while everybody else waits. */
export const batchVmsMax = 1000;
/** Shares in tenths of a percent are fine enough; 0 would be a project that never gets anything. */
export const projectWeight = { least: 1, most: 1000 } as const;
/** Far above every pool: 100,000 hosts with the largest VMs, and exact as a number. */
export const projectQuota = {
  vms: 1_000_000,
  cpuCount: 1_000_000_000,
  memoryMib: 1e15,
  diskMib: 1e15,
  macosSlots: 1_000_000,
} as const;

/** As the protocol says. */
export const priorityMax = 100;
export const probePeriodMs = { default: 1000, least: 50, most: 60_000 } as const;
export const probeTimeoutSeconds = { default: 300, least: 1, most: 3600 } as const;
export const probeCommandLengthMax = 1024;
/** A wish that nobody looks at for a month is forgotten. */
export const pendingTimeoutMs = { least: 1000, most: 30 * 24 * 3_600_000 } as const;

/** Shorter, and a renewal that is late by a retry or two would end the VM; longer is as good as none. */
export const leaseDurationMs = { least: 10_000, most: 30 * 24 * 3_600_000 } as const;
/** A VM that is wanted for longer than a year is wanted without a bound. */
export const maxLifetimeMs = { least: 10_000, most: 365 * 24 * 3_600_000 } as const;

/** A rollout of a whole pool with one token. */
export const joinTokenUses = { least: 1, most: 100_000 } as const;
/** Short by default, since whoever reads it may join; a month for a rollout that takes its time. */
export const joinTokenTtlMs = { default: 3_600_000, least: 60_000, most: 30 * 24 * 3_600_000 } as const;
/** All of them stand in one string that people paste. */
export const joinTokenAddressesMax = 8;
/** A role in each of so many projects; who has more of them has it everywhere. */
export const bindingsMax = 64;
/** Of an issuer; the rules are as many as bindings. */
export const audiencesMax = 16;
export const audienceLengthMax = 256;
/** Of claims to be explained: as much as the headers of a call hold. */
export const claimsLengthMax = 16_384;
/** A token that nobody has replaced for a year is one that nobody knows of any more. */
export const tokenTtlMs = {
  default: 90 * 24 * 3_600_000,
  least: 60_000,
  most: 366 * 24 * 3_600_000,
} as const;
/** No token lives longer. */
export const tokenOverlapMs: number = tokenTtlMs.most;

/** Hosts that an answer names as examples of many. */
export const pendingHostsMax = 100;

/** As the protocol says: what fails on so many Macs would fail on the next. */
export const retryAttemptsMax = 10;

/** Apple's licence allows two; more is for operators with an agreement of their own. */
export const macosSlots = { default: 2, least: 0, most: 16 } as const;
/** Each one copies tens of GiB: more at once only makes all of them slow. */
export const parallelCreates = { default: 4, least: 1, most: 32 } as const;
export const overcommit = {
  cpu: { least: 0.1, most: 16 },
  /** Memory that is promised and not there ends guests. */
  memory: { least: 0.1, most: 4 },
  /** Disks grow as they are used; many never fill. */
  disk: { least: 0.1, most: 16 },
} as const;
/** A drain that takes longer is none. */
export const drainDeadlineMs = { least: 0, most: 30 * 24 * 3_600_000 } as const;

/** As the protocol says. */
export const waitTimeoutMs = { default: 600_000, least: 0, most: 24 * 3_600_000 } as const;
/** As many as there are states. */
export const waitStatesMax = 16;
/** Each wait is a few hundred bytes; this many are a hundred MB. */
export const waitsMax = 100_000;

/** Nobody plans for more at once, and each place is looked for. */
export const plannedVmsMax = 10_000;

/** The bound of the local Parallels API. */
export const execTimeoutMs = { default: 180_000, least: 1, most: 180_000 } as const;
/** Who opens an ExecVm sends its first message at once. */
export const execStartTimeoutMs = 10_000;
/** A command line of macOS may have 256 KiB; the order has to fit into one message to the agent, with room. */
export const execCommandLengthMax = 131_072;
export const execArgumentsMax = 1024;
export const execEnvironmentMax = 128;
/** Output goes out in pieces that stay well below the usual bound of a message. */
export const execOutputPieceBytes = 256 * 1024;
/** Deleting a large VM takes minutes; nothing takes an hour. */
export const controlTimeoutMs = { default: 300_000, least: 1000, most: 3_600_000 } as const;

/** As the protocol says. */
export const pageSize = { default: 100, most: 1000 } as const;
/** A page ends early when it is this large: most gRPC clients take no message above 4 MiB. */
export const pageBytesMax = 3 * 1024 * 1024;
export const pageTokenLengthMax = 8192;
export const orderFieldsMax = 8;
/** Of a text to sort by, this much counts: the position of a page holds it. */
export const sortTextLengthMax = 256;

/** A filter is run over every resource of a list, so it is short. */
export const filterLengthMax = 2048;
export const filterDepthMax = 32;
/** One path into a resource; the deepest one has five parts. */
export const pathPartsMax = 8;
export const maskPathsMax = 64;

/** How often a watcher in which nothing happens is told of the revision. */
export const bookmarkPeriodMs = 10_000;
/** How many resources are converted at a time for the present state of a watch, so that others get their turn. */
export const watchChunk = 500;
/** How many of the newest changes are kept as they were told to one watcher, for the others: some 15 MB at most a kind. */
export const sharedChangesMax = 2_000;

/** How many events are looked at before others get their turn: a millisecond or two. */
export const eventsPerStep = 1_000;

/**
 * How many entries the history gets of refused calls: a hundred at once, and one a minute beyond that. Who floods the server
 * for a month makes 43,000, less than half of what is kept.
 */
export const refusalEntries = { burst: 100, perMinute: 1 } as const;
/** How many kinds of refused calls are told apart at a time; each is a few hundred bytes. */
export const refusalKindsMax = 200;

/** How often a change is tried again when the resource changed between reading and writing and no etag was given. */
export const updateAttemptsMax = 8;

/** Larger than any request within the bounds above. */
export const requestBytesMax = 1024 * 1024;
/** As large as a page, with room for what is around it. */
export const responseBytesMax = 4 * 1024 * 1024;
/** Calls under way at once, on all connections: waits and watches above all. Each one costs about 20 KB. */
export const callsMax = 50_000;
/** A build system with one connection may wait for as many VMs at once. */
export const streamsPerConnectionMax = 10_000;
/** How many wrong fields an error names: the details must fit into HTTP/2 headers, which many clients bound to 8 KiB. */
export const violationsMax = 16;
export const errorTextLengthMax = 400;
export const violationTextLengthMax = 160;

/** Finds dead peers, and those that never speak HTTP/2, without waking sleeping notebooks too often. */
export const keepalive = { periodMs: 30_000, timeoutMs: 10_000 } as const;

/** HTTP/1.1: how long a client may take for its headers, for the whole request, and between two requests. */
export const httpHeadersTimeoutMs = 10_000;
export const httpRequestTimeoutMs = 30_000;
export const httpKeepAliveTimeoutMs = 30_000;
export const httpConnectionsMax = 2048;
export const httpHeaderBytesMax = 16_384;
export const httpHeadersMax = 100;

/** A backup that its reader leaves lying for so long is cut off: it holds back the clean-up of the store. */
export const backupStallMaxMs = 60_000;

/** How long calls under way may take when the server closes. */
export const drainCallsMs = 5000;
/** And the connections after that: what is left on them are watches of health, which have been told. */
export const closePortMs = 500;

/** Hosts that one call may name for a prefetch; for more it leaves them out. */
export const prefetchHostsMax = 1000;
