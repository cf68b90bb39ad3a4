/** Architectures and guests' operating systems, as flags and as words. */
import { Architecture, GuestOs } from "../../shared/gen/es/meridian/v1/types_pb.ts";

export const architectureWords = ["arm64", "x86_64"] as const;
export type ArchitectureWord = (typeof architectureWords)[number];
export const architectures: Readonly<Record<ArchitectureWord, Architecture>> = {
  arm64: Architecture.ARM64,
  x86_64: Architecture.X86_64,
};

export const guestOsWords = ["macos", "linux", "windows"] as const;
export type GuestOsWord = (typeof guestOsWords)[number];
export const guestOses: Readonly<Record<GuestOsWord, GuestOs>> = {
  macos: GuestOs.MACOS,
  linux: GuestOs.LINUX,
  windows: GuestOs.WINDOWS,
};
