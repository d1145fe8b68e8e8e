import type { Random } from '#shared/basics/seeded-random.ts';
import type { ConsensusMessage } from '#shared/ledger/consensus/resend.ts';
import { type Adversary, type AdversaryWorld, createAdversary } from './adversary.ts';
import { createEventQueue } from './event-queue.ts';
import { createNetwork, type Network } from './network.ts';
import { createOracle, type Oracle } from './oracle.ts';
import { Replica, type ReplicaWorld, type Timer } from './replica.ts';
import type { Plan } from './simulation-plan.ts';

const RESEND_TICKS = 60;
/** Between two heights. */
const PAUSE_TICKS = 5;
const TIMEOUT_TICKS = 40;
const TIMEOUT_GROWTH_TICKS = 20;
/** Ticks after the network has healed within which every correct validator must go on. */
const PROGRESS_TICKS = 20_000;
const PROGRESS_HEIGHTS = 2;
const CRASH_CHANCE = 0.004;

type SimulatedEvent =
  | {
      readonly kind: 'message';
      readonly to: Replica;
      readonly message: ConsensusMessage;
      readonly from: Replica | undefined;
    }
  | {
      readonly kind: 'timer';
      readonly replica: Replica;
      readonly starts: number;
      readonly timer: Timer;
    }
  | { readonly kind: 'begin' | 'resend' | 'restart'; readonly replica: Replica }
  | { readonly kind: 'partition' | 'heal' };

class Crash extends Error {
  override readonly name = 'Crash';
}

/** Runs a whole network of validators from its plan, until it has gone on after healing. */
export function runSimulation(plan: Plan) {
  return new Simulation(plan).run();
}

class Simulation {
  readonly #plan: Plan;
  readonly #random: Random;
  readonly #queue = createEventQueue<SimulatedEvent>();
  readonly #network: Network;
  readonly #oracle: Oracle;
  readonly #replicas: readonly Replica[];
  readonly #correct: readonly Replica[];
  readonly #adversary: Adversary | undefined;
  readonly #starts = new Map<Replica, number>();
  readonly #down = new Set<Replica>();
  #nowTick = 0;
  #values = 0;
  /** The height that every correct validator is to reach after healing. */
  #goal = Number.POSITIVE_INFINITY;

  constructor(plan: Plan) {
    const { random, validators, faulty, twins } = plan;
    this.#plan = plan;
    this.#random = random;
    this.#network = createNetwork(random, plan.network);
    this.#oracle = createOracle(plan);
    const world = this.#replicaWorld();
    this.#replicas = [...validators.weights.keys()].flatMap((address) => {
      if (!faulty.includes(address)) return [new Replica(address, address, world)];
      if (!twins) return [];
      return ['a', 'b'].map((twin) => new Replica(`${address}${twin}`, address, world));
    });
    this.#correct = this.#replicas.filter(({ address }) => !faulty.includes(address));
    if (plan.strategies.length > 0) {
      this.#adversary = createAdversary(this.#adversaryWorld(), plan.strategies);
    }
  }

  run() {
    const { healsAtTick, network } = this.#plan;
    for (const replica of this.#replicas) {
      this.#start(replica);
      this.#queue.add(Math.floor(this.#random() * RESEND_TICKS), { kind: 'resend', replica });
    }
    if (network.has('partition')) this.#queue.add(10, { kind: 'partition' });
    this.#queue.add(healsAtTick, { kind: 'heal' });
    let events = 0;
    while (!this.#isOver()) {
      const next = this.#queue.take()!;
      this.#nowTick = next.atTick;
      events += 1;
      this.#handle(next.event);
    }
    return { ...this.#oracle.conclude(this.#correct), events };
  }

  #isOver(): boolean {
    if (this.#oracle.isOver()) return true;
    if (this.#correct.every(({ height }) => height >= this.#goal)) return true;
    if (this.#nowTick <= this.#plan.healsAtTick + PROGRESS_TICKS) return false;
    if (!this.#plan.tooManyFaulty) {
      const heights = this.#correct.map(({ instance, height }) => `${instance} ${height}`);
      this.#oracle.failed(`no progress after healing: ${heights.join(', ')}, wanted ${this.#goal}`);
    }
    return true;
  }

  #replicaWorld(): ReplicaWorld {
    const { validators, network, random } = this.#plan;
    return {
      ...this.#oracle,
      validators,
      mayCrash: (replica) => {
        if (this.#network.healed || !network.has('crash') || random() >= CRASH_CHANCE) return;
        throw new Crash(`${replica.instance} crashes`);
      },
      broadcast: (from, messages) => {
        for (const message of messages) {
          for (const to of this.#replicas) if (to !== from) this.#transmit(from, to, message);
          if (this.#correct.includes(from)) this.#adversary?.hear(message);
        }
      },
      answer: (from, to, messages) => {
        for (const message of messages) this.#transmit(from, to, message);
      },
      setTimer: (replica, timer) => {
        if (timer.step === 'propose' && this.#correct.includes(replica)) {
          this.#adversary?.enters(timer);
        }
        const starts = this.#starts.get(replica)!;
        const ticks = TIMEOUT_TICKS + TIMEOUT_GROWTH_TICKS * timer.round;
        this.#queue.add(this.#nowTick + ticks, { kind: 'timer', replica, starts, timer });
      },
      endsHeight: (replica) =>
        this.#queue.add(this.#nowTick + PAUSE_TICKS, { kind: 'begin', replica }),
      newValue: ({ instance, height }) => `${instance}.${height}.${this.#values++}`,
      judge: ({ value }) => ({
        valid: !value.endsWith('!'),
        timely: this.#network.healed || random() > 0.05,
      }),
    };
  }

  #adversaryWorld(): AdversaryWorld {
    const { random, validators, faulty } = this.#plan;
    return {
      ...{ random, validators, faulty, targets: this.#correct },
      send: (to, message) => {
        const tick = this.#nowTick + 1 + Math.floor(random() * 3);
        this.#queue.add(tick, { kind: 'message', to, message, from: undefined });
      },
      cutOff: (apart, ticks) => {
        const instances = apart.map(({ instance }) => instance);
        this.#network.cutOff(instances, this.#nowTick + ticks);
      },
      silence: ({ instance }, ticks) => this.#network.silence(instance, this.#nowTick + ticks),
    };
  }

  #transmit(from: Replica, to: Replica, message: ConsensusMessage): void {
    for (const delay of this.#network.delays(from.instance, to.instance, this.#nowTick)) {
      this.#queue.add(this.#nowTick + delay, { kind: 'message', to, message, from });
    }
  }

  #handle(event: SimulatedEvent): void {
    if (event.kind === 'message') {
      this.#attempt(event.to, () => event.to.receive(event.message, event.from));
    } else if (event.kind === 'timer') {
      // A timer of before a crash is gone with it.
      if (this.#starts.get(event.replica) !== event.starts) return;
      this.#attempt(event.replica, () => event.replica.timeout(event.timer));
    } else if (event.kind === 'begin') {
      this.#attempt(event.replica, () => event.replica.begin());
    } else if (event.kind === 'resend') {
      this.#queue.add(this.#nowTick + RESEND_TICKS, event);
      this.#attempt(event.replica, () => event.replica.resend());
    } else if (event.kind === 'restart') {
      this.#start(event.replica);
    } else if (event.kind === 'partition') {
      this.#partition();
    } else {
      this.#network.heal();
      this.#goal = Math.max(...this.#correct.map(({ height }) => height)) + PROGRESS_HEIGHTS;
    }
  }

  #start(replica: Replica): void {
    this.#down.delete(replica);
    this.#starts.set(replica, (this.#starts.get(replica) ?? 0) + 1);
    this.#attempt(replica, () => replica.start());
  }

  #attempt(replica: Replica, action: () => void): void {
    if (this.#down.has(replica)) return;
    try {
      action();
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.#down.add(replica);
      replica.crash(this.#random);
      const tick = this.#nowTick + 1 + Math.floor(this.#random() * 150);
      this.#queue.add(tick, { kind: 'restart', replica });
    }
  }

  #partition(): void {
    const apart = this.#replicas.filter(() => this.#random() < 0.4);
    const instances = apart.map(({ instance }) => instance);
    this.#network.cutOff(instances, this.#nowTick + Math.floor(this.#random() * 200));
    const tick = this.#nowTick + 50 + Math.floor(this.#random() * 250);
    this.#queue.add(tick, { kind: 'partition' });
  }
}
