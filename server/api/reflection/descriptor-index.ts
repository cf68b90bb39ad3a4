/**
 * What the reflection service looks up: every file by its name and by each symbol and extension that it declares, always
 * with all files that it imports, since tools cannot use a file without them.
 */
import { type DescFile, type DescMessage, type DescService, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

export class DescriptorIndex {
  /** The full names of the services, sorted. */
  readonly serviceNames: readonly string[];
  private readonly filesByName = new Map<string, DescFile>();
  private readonly filesBySymbol = new Map<string, DescFile>();
  /** Extension numbers of a message, with the file that declares each. */
  private readonly extensions = new Map<string, Map<number, DescFile>>();
  private readonly messageNames = new Set<string>();
  private readonly encoded = new Map<DescFile, Uint8Array>();

  /** @param more files that no service refers to, such as the details of errors. */
  constructor(services: readonly DescService[], more: readonly DescFile[]) {
    this.serviceNames = services.map((service) => service.typeName).sort();
    for (const file of [...services.map((service) => service.file), ...more]) this.addFile(file);
  }

  /** The file and all that it imports, encoded; nothing if there is none. */
  fileByName(name: string): Uint8Array[] | undefined {
    return this.closure(this.filesByName.get(name));
  }

  /** The file that declares a message, field, enum, enum value, service or method of this full name. */
  fileBySymbol(symbol: string): Uint8Array[] | undefined {
    return this.closure(this.filesBySymbol.get(symbol));
  }

  fileByExtension(message: string, extensionNumber: number): Uint8Array[] | undefined {
    return this.closure(this.extensions.get(message)?.get(extensionNumber));
  }

  /** The numbers of the extensions of a message; nothing if the message is not known. */
  extensionNumbers(message: string): number[] | undefined {
    const known = this.extensions.get(message);
    if (known !== undefined) return [...known.keys()].sort((a, b) => a - b);
    return this.messageNames.has(message) ? [] : undefined;
  }

  private addFile(file: DescFile): void {
    const name = file.proto.name;
    if (this.filesByName.has(name)) return;
    this.filesByName.set(name, file);
    for (const dependency of file.dependencies) this.addFile(dependency);
    for (const type of nestedTypes(file)) {
      this.filesBySymbol.set(type.typeName, file);
      if (type.kind === "message") this.addMessage(type, file);
      if (type.kind === "enum")
        for (const value of type.values) this.filesBySymbol.set(enumValueName(type, value), file);
      if (type.kind === "service") {
        for (const method of type.methods) this.filesBySymbol.set(`${type.typeName}.${method.name}`, file);
      }
      if (type.kind === "extension") {
        const ofMessage = this.extensions.get(type.extendee.typeName) ?? new Map<number, DescFile>();
        ofMessage.set(type.number, file);
        this.extensions.set(type.extendee.typeName, ofMessage);
      }
    }
  }

  private addMessage(message: DescMessage, file: DescFile): void {
    this.messageNames.add(message.typeName);
    for (const field of message.fields) this.filesBySymbol.set(`${message.typeName}.${field.name}`, file);
    for (const oneof of message.oneofs) this.filesBySymbol.set(`${message.typeName}.${oneof.name}`, file);
  }

  private closure(file: DescFile | undefined): Uint8Array[] | undefined {
    if (file === undefined) return undefined;
    const files = new Set<DescFile>();
    const visit = (next: DescFile): void => {
      if (files.has(next)) return;
      files.add(next);
      for (const dependency of next.dependencies) visit(dependency);
    };
    visit(file);
    return Array.from(files, (each) => this.encode(each));
  }

  private encode(file: DescFile): Uint8Array {
    const known = this.encoded.get(file);
    if (known !== undefined) return known;
    const bytes = toBinary(FileDescriptorProtoSchema, file.proto);
    this.encoded.set(file, bytes);
    return bytes;
  }
}

/** Values of an enum are named beside it, not within it. */
function enumValueName(type: { readonly typeName: string }, value: { readonly name: string }): string {
  const scope = type.typeName.slice(0, type.typeName.lastIndexOf(".") + 1);
  return `${scope}${value.name}`;
}
