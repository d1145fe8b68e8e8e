/** What so many validators withstand, in one sentence: of n, fewer than a third may be faulty. */
export function faultTolerance(validators: number): string {
  if (validators === 1) return 'one node: tamper-evident only, nobody else checks it';
  const faulty = Math.floor((validators - 1) / 3);
  return faulty === 0
    ? `${validators} validators tolerate no fault: all of them have to be up`
    : `${validators} validators, ${faulty} of which may fail or lie`;
}
