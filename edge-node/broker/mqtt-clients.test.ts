import { type MqttBench, mqttClientContract, until } from '#runtime/mqtt/mqtt-client.contract.ts';
import type { MqttClient } from '#runtime/mqtt/mqtt-client.ts';
import type { Broker } from './broker.ts';
import { connectedTo, testBroker } from './broker-bench.ts';

mqttClientContract('MQTT.js over TCP', () =>
  openBench((broker, clientId) => connectedTo(broker, { clientId })),
);
mqttClientContract('in the process of the broker', () =>
  openBench(async (broker) => broker.localClient()),
);

async function openBench(
  connect: (broker: Broker, name: string) => Promise<MqttClient>,
): Promise<MqttBench> {
  const broker = await testBroker();
  const clients: MqttClient[] = [];
  return {
    async client(name) {
      const client = await connect(broker, name);
      clients.push(client);
      return client;
    },
    async cutOff(client) {
      await broker[Symbol.asyncDispose]();
      await until(() => !client.connected);
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) await client[Symbol.asyncDispose]();
      await broker[Symbol.asyncDispose]();
    },
  };
}
