import { loadConfig } from '#runtime/config/load-config.ts';
import { createLog } from '#runtime/observe/log.ts';
import { runProgram } from '#runtime/process/run-program.ts';
import { agentConfigSchema } from './agent-config.ts';
import { startDeviceAgent } from './device-agent.ts';

/** The device agent as a program of its own. */
export async function runDeviceAgent(configFile: string): Promise<void> {
  await runProgram(async ({ fail }) => {
    const config = loadConfig(configFile, agentConfigSchema);
    return startDeviceAgent(config, { log: createLog(config.id, config.log.level), fail });
  });
}
