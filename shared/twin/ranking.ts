/**
 * Area under the receiver operating characteristic: the chance that a random positive scores above
 * a random negative, ties counting half (Mann-Whitney U over n+ * n-). `undefined` where there are
 * no positives or no negatives.
 */
export function areaUnderCurve(
  items: readonly { readonly score: number; readonly positive: boolean }[],
): number | undefined {
  const sorted = [...items].sort((a, b) => a.score - b.score);
  const positives = sorted.filter(({ positive }) => positive).length;
  const negatives = sorted.length - positives;
  if (positives === 0 || negatives === 0) return undefined;
  let rankSum = 0;
  for (let start = 0; start < sorted.length; ) {
    let end = start;
    let positivesHere = 0;
    while (end < sorted.length && sorted[end]!.score === sorted[start]!.score) {
      if (sorted[end]!.positive) positivesHere++;
      end++;
    }
    rankSum += positivesHere * ((start + 1 + end) / 2); // the mean rank of the tied
    start = end;
  }
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}
