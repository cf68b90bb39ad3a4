/** What grpc-js prints by itself. */

/**
 * Keeps grpc-js from writing to standard error on its own: what it would say (an address that is taken, say) reaches us as an
 * error, and the log of a service is JSON, line by line.
 */
export async function silenceGrpc(): Promise<void> {
  const { logVerbosity, setLogVerbosity } = await import("@grpc/grpc-js");
  setLogVerbosity(logVerbosity.NONE);
}
