import { loadConfig } from '#runtime/config/load-config.ts';
import { createLog } from '#runtime/observe/log.ts';
import { runProgram } from '#runtime/process/run-program.ts';
import { edgeConfigSchema } from './edge-config.ts';
import { startEdgeNode } from './edge-node.ts';

/** The edge node as a program of its own. */
export async function runEdgeNode(configFile: string): Promise<void> {
  await runProgram(async () => {
    const config = loadConfig(configFile, edgeConfigSchema);
    return startEdgeNode(config, createLog(config.id, config.log.level));
  });
}
