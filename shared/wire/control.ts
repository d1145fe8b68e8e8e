import { z } from 'zod';
import { checkJson, type JsonValue, propertyLimits } from '../twin/document/json.ts';
import { type MessageCodec, messageCodec } from './message.ts';
import { epochSchema } from './names.ts';

export const DESIRED_PROPERTIES_MAX = 1000;
const ACKNOWLEDGEMENTS_PER_MESSAGE_MAX = 100;
/** Beyond it nobody waits for a reply: what takes longer is a desired property. */
export const COMMAND_TIMEOUT_MS_MAX = 3_600_000;

const TIME_MS_MAX = 8.64e15;
const REASON_LENGTH_MAX = 500;

/** A property's value, bounded as the twin bounds it. */
const valueSchema = z.custom<JsonValue>(
  (value) => checkJson(value, propertyLimits).ok,
  'is not a JSON value, or is too large',
);

/** `feature/property` in names of any letters, as the twin's clients give them. */
export const controlPathSchema = z
  .string()
  .max(257)
  .regex(/^[^/\p{Cc}]{1,128}\/[^/\p{Cc}]{1,128}$/u, 'use feature/property');
const versionSchema = z.int().min(1);

const desiredSchema = z
  .strictObject({
    v: z.literal(1),
    /** The counter the versions are of; another one than before makes all of it new. */
    epoch: epochSchema,
    /** Of the message: a device that has one at least as high need not look at it. */
    version: z.int().min(0),
    properties: z
      .array(
        z.strictObject({ path: controlPathSchema, version: versionSchema, value: valueSchema }),
      )
      .max(DESIRED_PROPERTIES_MAX),
  })
  .refine(
    ({ version, properties }) => properties.every((each) => each.version <= version),
    'a property is newer than the message',
  );

/** Everything the hub wants of a device; retained, so what is no longer in it is not wanted. */
export type DesiredMessage = z.infer<typeof desiredSchema>;
export const desiredCodec: MessageCodec<DesiredMessage> = messageCodec('desired', desiredSchema);

/** One answer by the convention of Azure IoT Plug and Play: value, code, version, description. */
const acknowledgementSchema = z.strictObject({
  path: controlPathSchema,
  value: valueSchema,
  /** As HTTP's: 200 done, 202 in progress, 400 and above refused. */
  ac: z.int().min(100).max(599),
  /** The version of the desired property that is answered. */
  av: versionSchema,
  ad: z.string().max(REASON_LENGTH_MAX),
});

const ackSchema = z.strictObject({
  v: z.literal(1),
  /** Of the desired message that is answered. */
  epoch: epochSchema,
  acknowledgements: z.array(acknowledgementSchema).min(1).max(ACKNOWLEDGEMENTS_PER_MESSAGE_MAX),
});
export type AckMessage = z.infer<typeof ackSchema>;
export const ackCodec: MessageCodec<AckMessage> = messageCodec('ack', ackSchema);

/** Names one command of one device; the topic's last level. */
export const commandIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{8,64}$/, 'use 8 to 64 of letters, digits, _ and -');
/** What is asked for; may have levels, as the subjects of Ditto's messages. */
export const commandSubjectSchema = z
  .string()
  .regex(/^[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)*$/, 'use words of letters and digits, parted by /')
  .max(128);

const commandSchema = z.strictObject({
  v: z.literal(1),
  id: commandIdSchema,
  subject: commandSubjectSchema,
  payload: valueSchema,
  /** By the hub's clock, as {@link deadlineMs}: their difference is the time there was. */
  issuedMs: z.int().min(0).max(TIME_MS_MAX),
  /** After it a device must not begin, and nobody waits for the reply. */
  deadlineMs: z.int().min(0).max(TIME_MS_MAX),
});
export type CommandMessage = z.infer<typeof commandSchema>;
export const commandCodec: MessageCodec<CommandMessage> = messageCodec('command', commandSchema);

const commandReplySchema = z.strictObject({
  v: z.literal(1),
  id: commandIdSchema,
  /** As HTTP's. */
  status: z.int().min(200).max(599),
  payload: valueSchema,
});
export type CommandReply = z.infer<typeof commandReplySchema>;
export const commandReplyCodec: MessageCodec<CommandReply> = messageCodec(
  'command reply',
  commandReplySchema,
);
