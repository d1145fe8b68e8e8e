import type { GraphBuilder } from '../graph-builder.ts';
import type { Shape } from '../model/shape.ts';
import { meanOver } from './averages.ts';

interface Normalisation {
  readonly shape: Shape;
  /** Those over which there is one mean and one variance. */
  readonly axes: readonly number[];
  readonly epsilon: number;
  /** Whether the mean is taken off first. */
  readonly centred: boolean;
}

interface Normalised {
  /** (x - mean) / sqrt(variance + epsilon), of the shape of x. */
  readonly normal: string;
  /** Turns the gradient by `normal` into that by x. */
  gradient(dNormal: string): string;
}

/**
 * Normalises a value over some axes. With n = (x - mean) r and r = 1 / sqrt(variance + epsilon):
 *
 *     dx = r (dn - mean(dn) - n mean(dn n)),
 *
 * where mean(dn) is left out if the value is not centred (Ioffe & Szegedy, arXiv 1502.03167, for
 * the batch; the other axes are alike).
 */
export function normalise(graph: GraphBuilder, x: string, spec: Normalisation): Normalised {
  const { shape, axes, epsilon, centred } = spec;
  const mean = (value: string) => meanOver(graph, value, { shape, axes });
  const times = (a: string, b: string) => graph.node('Mul', [a, b]);
  const deviation = centred ? graph.node('Sub', [x, mean(x)]) : x;
  const variance = mean(times(deviation, deviation));
  const sum = graph.node('Add', [variance, graph.float(epsilon)]);
  const factor = graph.node('Reciprocal', [graph.node('Sqrt', [sum])]);
  const normal = times(deviation, factor);
  return {
    normal,
    gradient(dNormal) {
      const along = times(normal, mean(times(dNormal, normal)));
      const level = centred ? graph.node('Sub', [dNormal, mean(dNormal)]) : dNormal;
      return times(factor, graph.node('Sub', [level, along]));
    },
  };
}
