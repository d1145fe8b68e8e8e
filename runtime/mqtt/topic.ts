const LENGTH_MAX = 256;
const LEVELS_MAX = 16;

/** Whether a message may be published under `topic`: no wildcards, bounded length and depth. */
export function isTopicName(topic: string): boolean {
  return isBoundedText(topic) && !topic.includes('+') && !topic.includes('#');
}

/** Whether `filter` is one to subscribe to: wildcards only as whole levels, `#` only at the end. */
export function isTopicFilter(filter: string): boolean {
  if (!isBoundedText(filter)) return false;
  const levels = filter.split('/');
  return levels.every((level, i) => {
    if (level === '#') return i === levels.length - 1;
    return level === '+' || !/[+#]/.test(level);
  });
}

/**
 * Whether a subscription to `filter` gets messages of `topic` (MQTT 3.1.1, 4.7): `a/#` matches `a`
 * too, and a filter that begins with a wildcard matches nothing that begins with `$`.
 */
export function topicMatches(filter: string, topic: string): boolean {
  if (filter === topic) return true;
  const wanted = filter.split('/');
  const given = topic.split('/');
  if (topic.startsWith('$') && (wanted[0] === '+' || wanted[0] === '#')) return false;
  for (const [i, level] of wanted.entries()) {
    if (level === '#') return true;
    if (i >= given.length || (level !== '+' && level !== given[i])) return false;
  }
  return wanted.length === given.length;
}

function isBoundedText(text: string): boolean {
  if (text === '' || text.length > LENGTH_MAX) return false;
  let levels = 1;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || (unit >= 0x7f && unit < 0xa0)) return false;
    if (unit === 0x2f) levels++;
  }
  return levels <= LEVELS_MAX;
}
