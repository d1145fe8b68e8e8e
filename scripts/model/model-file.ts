import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ProgramError } from '#runtime/process/program-error.ts';
import type { Failure, Result } from '#shared/basics/result.ts';
import { embedExternalData } from '#shared/training/model/external-data.ts';

/** The value of a result; its failure ends the program with one line that begins with `where`. */
export function unwrap<T>(result: Result<T, Failure>, where: string): T {
  if (result.ok) return result.value;
  const { code, message } = result.error;
  throw new ProgramError(code, `${where}: ${message}`);
}

/** An ONNX file with everything inside that it keeps in files beside it. */
export function readModelFile(file: string): Uint8Array {
  const bytes = readInputFile(file);
  const readSide = (location: string): Uint8Array | undefined => {
    const path = join(dirname(file), location);
    return existsSync(path) ? readInputFile(path) : undefined;
  };
  return unwrap(embedExternalData(bytes, readSide), file);
}

export function readInputFile(file: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(readFileSync(file));
  } catch (cause) {
    throw new ProgramError('file-unreadable', `cannot read ${file}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

export function writeOutputFile(file: string, content: Uint8Array | string): void {
  writing(file, () => writeFileSync(file, content));
}

/** Ends the program where a file could not be written, before hours go into what it is to hold. */
export function checkOutputFile(file: string): void {
  writing(file, () => {
    if (existsSync(file)) closeSync(openSync(file, 'r+'));
    else accessSync(dirname(file), constants.W_OK);
  });
}

export function makeFolder(folder: string): void {
  writing(folder, () => mkdirSync(folder, { recursive: true }));
}

function writing(path: string, write: () => void): void {
  try {
    write();
  } catch (cause) {
    throw new ProgramError('file-unwritable', `cannot write ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
}
