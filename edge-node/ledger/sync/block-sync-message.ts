import { z } from 'zod';
import { type Failure, fail, ok, type Result } from '#shared/basics/result.ts';
import { decodeCanonical, encodeCanonical, type Plain } from '#shared/codec/canonical.ts';
import { digestSchema } from '#shared/identity/digest.ts';
import { BLOCK_SIZE_BYTES_MAX } from '#shared/ledger/block.ts';
import { nameSchema } from '#shared/wire/names.ts';

/** The bytes of an answer beyond its first block, and how many blocks one holds. */
export const BATCH_SIZE_BYTES_MAX = BLOCK_SIZE_BYTES_MAX;
export const BATCH_BLOCKS_MAX = 256;

/** A commit of 31 votes takes some 7 KB. */
const COMMIT_SIZE_BYTES_MAX = 16_384;

const heightSchema = z.int().min(0);

/** Where a node stands: the newest height it has decided. */
const statusSchema = z.strictObject({
  v: z.literal(1),
  chainId: nameSchema,
  height: heightSchema,
  hash: digestSchema,
});

const announcementSchema = statusSchema.omit({ chainId: true });

const blocksRequestSchema = z.strictObject({ v: z.literal(1), from: z.int().min(1) });

const bytesSchema = (max: number) =>
  z
    .instanceof(Uint8Array)
    .refine((bytes) => bytes.length <= max)
    .transform((bytes): Uint8Array => bytes);

/** Blocks with their commits, encoded, in order from the height that was asked for. */
const blocksAnswerSchema = z.strictObject({
  v: z.literal(1),
  blocks: z
    .array(
      z.strictObject({
        block: bytesSchema(BLOCK_SIZE_BYTES_MAX),
        commit: bytesSchema(COMMIT_SIZE_BYTES_MAX),
      }),
    )
    .max(BATCH_BLOCKS_MAX),
});

type Status = z.infer<typeof statusSchema>;
type Announcement = z.infer<typeof announcementSchema>;
type BlocksRequest = z.infer<typeof blocksRequestSchema>;
type BlocksAnswer = z.infer<typeof blocksAnswerSchema>;

type Malformed = Failure<'sync-malformed'>;

export function encodeSyncMessage(
  message: Status | Announcement | BlocksRequest | BlocksAnswer,
): Uint8Array<ArrayBuffer> {
  return encodeCanonical({ ...message } as Plain);
}

export function decodeStatus(bytes: Uint8Array): Result<Status, Malformed> {
  return parse(statusSchema, bytes);
}

export function decodeAnnouncement(bytes: Uint8Array): Result<Announcement, Malformed> {
  return parse(announcementSchema, bytes);
}

export function decodeBlocksRequest(bytes: Uint8Array): Result<BlocksRequest, Malformed> {
  return parse(blocksRequestSchema, bytes);
}

/** Says nothing of what is in the blocks. */
export function decodeBlocksAnswer(bytes: Uint8Array): Result<BlocksAnswer, Malformed> {
  return parse(blocksAnswerSchema, bytes);
}

function parse<T>(schema: z.ZodType<T>, bytes: Uint8Array): Result<T, Malformed> {
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return fail('sync-malformed', decoded.error.message);
  const parsed = schema.safeParse(decoded.value);
  if (parsed.success) return ok(parsed.data);
  const { path, message } = parsed.error.issues[0]!;
  return fail('sync-malformed', `the message at ${path.join('.') || 'its root'}: ${message}`);
}
