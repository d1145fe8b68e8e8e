import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keyIdOf } from '#shared/identity/keys.ts';
import { exampleMember } from '#shared/ledger/chain.fixture.ts';
import { rosterOf } from '#shared/ledger/roster.ts';
import { SigningPermit } from './signing-permit.ts';

const id = (n: number) => keyIdOf(exampleMember(n).publicKey);
const rosterOfCount = (count: number) =>
  rosterOf(Array.from({ length: count }, (_, n) => exampleMember(n)));
const four = rosterOfCount(4);
const self = id(0);

describe('a validator with a database that is trusted', () => {
  it('signs once those who answered and itself are a quorum', () => {
    const permit = new SigningPermit({ self, isTrusted: true });
    permit.answered(id(1), 7);
    permit.review(7, four);
    assert.equal(permit.status, 'asking');
    permit.answered(id(2), 9);
    permit.review(7, four);
    assert.equal(permit.status, 'signing');
  });

  it('signs at once where it is alone', () => {
    const permit = new SigningPermit({ self, isTrusted: true });
    permit.review(0, rosterOfCount(1));
    assert.equal(permit.status, 'signing');
  });

  it('observes once it is shown what it does not know to have signed', () => {
    const permit = new SigningPermit({ self, isTrusted: true });
    permit.sawForeign(8);
    for (const n of [1, 2, 3]) permit.answered(id(n), 7);
    permit.review(7, four);
    assert.equal(permit.status, 'observing');
    permit.review(9, four);
    assert.equal(permit.status, 'observing');
    permit.review(10, four);
    assert.equal(permit.status, 'signing');
  });

  it('stops for good where its key signs elsewhere while it signs', () => {
    const permit = new SigningPermit({ self, isTrusted: true });
    for (const n of [1, 2]) permit.answered(id(n), 0);
    permit.review(0, four);
    permit.sawForeign(1);
    for (let head = 1; head < 50; head++) permit.review(head, four);
    assert.equal(permit.status, 'stopped');
  });
});

describe('a validator with a database that is not trusted', () => {
  it('waits for a quorum of others, then for two heights beyond theirs', () => {
    const permit = new SigningPermit({ self, isTrusted: false });
    permit.answered(id(1), 5);
    permit.answered(id(2), 6);
    permit.review(20, four);
    assert.equal(permit.status, 'observing');
    permit.answered(id(3), 6);
    permit.review(6, four);
    permit.review(7, four);
    assert.equal(permit.status, 'observing');
    permit.review(8, four);
    assert.equal(permit.status, 'signing');
  });

  it('counts nobody who claims a height that it has not reached', () => {
    const permit = new SigningPermit({ self, isTrusted: false });
    permit.answered(id(1), 2);
    permit.answered(id(2), 2);
    permit.answered(id(3), 1_000_000);
    for (let head = 2; head < 50; head++) permit.review(head, four);
    assert.equal(permit.status, 'observing');
    const seven = rosterOfCount(7);
    for (const n of [4, 5, 6]) permit.answered(id(n), 2);
    permit.review(50, seven);
    assert.equal(permit.status, 'signing');
  });

  it('goes on observing while its key signs elsewhere', () => {
    const permit = new SigningPermit({ self, isTrusted: false });
    for (const n of [1, 2, 3]) permit.answered(id(n), 5);
    for (let head = 5; head < 20; head++) {
      permit.sawForeign(head + 1);
      permit.review(head, four);
      assert.equal(permit.status, 'observing');
    }
    permit.review(22, four);
    assert.equal(permit.status, 'signing');
  });

  it('takes no part where there is no quorum without it', () => {
    const permit = new SigningPermit({ self, isTrusted: false });
    for (const n of [1, 2]) permit.answered(id(n), 5);
    permit.review(50, rosterOfCount(3));
    assert.equal(permit.status, 'observing');
  });
});
