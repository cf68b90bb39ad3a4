/**
 * The inside of the guests, as the model of a Mac sees it. The model knows when a guest runs and at which address; whether
 * anything listens there, and what a command does, is the world's business: a table of answers, or real processes.
 */

export interface Guest {
  readonly vmId: string;
  readonly os: string;
  readonly architecture: string;
  /** In 127.0.0.0/8, unique for each Mac and VM. */
  readonly address: string;
}

export interface CommandOutcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

export interface GuestWorld {
  /** The guest has booted: its ports open before this resolves. Never rejects. */
  boot(guest: Guest): Promise<void>;
  /** The guest is off: its ports are closed and its commands end. */
  shutDown(vmId: string): void;
  /** The VM is gone, with all that it kept. */
  remove(vmId: string): void;
  /**
   * Runs a command line as the guest's shell would. When the signal is aborted (the guest stops, or the time is over) the
   * command ends and what is returned no longer matters.
   */
  execute(guest: Guest, commandLine: string, signal: AbortSignal): Promise<CommandOutcome>;
  /** Ends everything that is left. */
  close(): Promise<void>;
}
