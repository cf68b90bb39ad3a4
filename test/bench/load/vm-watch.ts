/** What a client sees of all VMs through one watch, and when it saw it. */
import { type ClientReadableStream, status } from "@grpc/grpc-js";
import { type Vm, VmStatus_State } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { VmService, type WatchVmsResponse } from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { momentMs } from "../moment.ts";
import type { PoolClient } from "./pool-client.ts";

export type StateTest = (state: VmStatus_State) => boolean;

/** A VM that has a host, and everything that comes after. */
export const isPlaced: StateTest = (state) => state >= VmStatus_State.PLACED && state <= VmStatus_State.RUNNING;
export const isRunning: StateTest = (state) => state === VmStatus_State.RUNNING;
export const isPending: StateTest = (state) => state === VmStatus_State.PENDING;
export const isGone: StateTest = (state) => state === VmStatus_State.DELETED;

interface Waiter {
  readonly test: StateTest;
  readonly resolve: (atMs: number) => void;
  readonly reject: (error: Error) => void;
}

interface NextWaiter {
  readonly test: StateTest;
  readonly resolve: (seen: SeenVm) => void;
  readonly reject: (error: Error) => void;
}

export interface SeenVm {
  readonly name: string;
  readonly atMs: number;
}

export class VmWatch {
  private readonly stream: ClientReadableStream<WatchVmsResponse>;
  private readonly states = new Map<string, { readonly state: VmStatus_State; readonly atMs: number }>();
  private readonly waiters = new Map<string, Waiter>();
  private next: NextWaiter | undefined;
  private failure: Error | undefined;

  /** @param fromRevision what happened after it is seen. */
  constructor(client: PoolClient, fromRevision: bigint) {
    this.stream = client.stream(VmService.method.watchVms, { fromRevision });
    this.stream.on("data", (event: WatchVmsResponse) => {
      if (event.vm !== undefined) this.see(event.vm);
    });
    this.stream.on("error", (error: Error & { code?: number }) => {
      if (error.code !== status.CANCELLED) this.fail(error);
    });
    this.stream.on("end", () => this.fail(new Error("the watch has ended")));
  }

  /** The moment when the VM was first seen in such a state. One wait a VM at a time. Rejects if it fails instead. */
  until(name: string, test: StateTest): Promise<number> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const seen = this.states.get(name);
    if (seen !== undefined && test(seen.state)) return Promise.resolve(seen.atMs);
    return expected(
      new Promise((resolve, reject) => {
        this.waiters.set(name, { test, resolve, reject });
      }),
    );
  }

  /** The next VM, whichever it is, that comes into such a state. One such wait at a time. */
  untilNext(test: StateTest): Promise<SeenVm> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return expected(
      new Promise((resolve, reject) => {
        this.next = { test, resolve, reject };
      }),
    );
  }

  /** Ends the watch; whoever still waits for something hears of it. */
  close(): void {
    this.fail(new Error("the watch has been closed"));
    this.stream.cancel();
  }

  private see({ name, status: said }: Vm): void {
    const state = said?.state ?? VmStatus_State.UNSPECIFIED;
    const atMs = momentMs();
    const before = this.states.get(name)?.state;
    if (this.next?.test(state) === true && !(before !== undefined && this.next.test(before))) {
      this.next.resolve({ name, atMs });
      this.next = undefined;
    }
    if (state === VmStatus_State.DELETED) this.states.delete(name);
    else this.states.set(name, { state, atMs });
    const waiter = this.waiters.get(name);
    if (waiter === undefined) return;
    if (waiter.test(state)) {
      this.waiters.delete(name);
      waiter.resolve(atMs);
    } else if (state === VmStatus_State.FAILED) {
      this.waiters.delete(name);
      waiter.reject(new Error(`${name} failed: ${said?.failure?.message ?? "no reason given"}`));
    }
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.next?.reject(error);
    for (const waiter of this.waiters.values()) waiter.reject(error);
    this.waiters.clear();
  }
}

/** What is asked for before it is awaited may fail before as well: that is no second failure. */
function expected<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
