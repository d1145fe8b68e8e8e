import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Attributes, attributesToProto } from './attributes.ts';
import { constantNodeValue } from './constant-node.ts';
import { AttributeProto, dataType, NodeProto } from './onnx-proto.ts';
import { int64Tensor, tensorShape } from './onnx-tensor.ts';
import { tensorValues } from './tensor-file.ts';

function constant(attributes: Attributes): NodeProto {
  return NodeProto.create({ opType: 'Constant', attribute: attributesToProto(attributes) });
}

describe('the value of a Constant node', () => {
  const cases: readonly [Attributes, number, number[], number[]][] = [
    [{ value_int: { int: -3 } }, dataType.int64, [], [-3]],
    [{ value_ints: { ints: [4, -5] } }, dataType.int64, [2], [4, -5]],
    [{ value_float: { float: 0.5 } }, dataType.float32, [], [0.5]],
    [{ value_floats: { floats: [1, 2.5] } }, dataType.float32, [2], [1, 2.5]],
  ];
  for (const [attributes, type, shape, numbers] of cases) {
    it(`is read from ${Object.keys(attributes)}`, () => {
      const tensor = constantNodeValue(constant(attributes))!;
      const values = tensorValues(tensor);
      assert.ok(values.ok);
      assert.deepEqual(tensorShape(tensor), shape);
      assert.equal(tensor.dataType, type);
      assert.deepEqual(Array.from(values.value.data, Number), numbers);
    });
  }

  it('is the tensor, where it is one', () => {
    const t = int64Tensor('', [1], [7]);
    const attribute = [
      AttributeProto.create({ name: 'value', type: AttributeProto.AttributeType.TENSOR, t }),
    ];
    assert.equal(constantNodeValue(NodeProto.create({ opType: 'Constant', attribute })), t);
  });

  it('is unknown, where it is text', () => {
    assert.equal(constantNodeValue(constant({ value_string: { string: 'a' } })), undefined);
  });
});
