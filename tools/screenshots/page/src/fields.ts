// Which options of a field the dashboards may use. Grafana's own registry is a part of Grafana; @grafana/data has the
// machine that applies the options, and takes them from here.
//
// Rule: an option that is not listed would be left out of the picture without a word, so `unknown` names it.

import {
  FieldConfigOptionsRegistry,
  FieldConfigPropertyItem,
  displayNameOverrideProcessor,
  identityOverrideProcessor,
} from '@grafana/data';

const STANDARD = ['color', 'decimals', 'displayName', 'links', 'mappings', 'max', 'min', 'noValue', 'thresholds', 'unit'];
const CUSTOM = [
  'align',
  'axisLabel',
  'axisSoftMax',
  'cellOptions',
  'drawStyle',
  'fillOpacity',
  'inspect',
  'lineInterpolation',
  'lineStyle',
  'lineWidth',
  'showPoints',
  'spanNulls',
  'stacking',
  'thresholdsStyle',
  'width',
];

function item(path: string, isCustom: boolean): FieldConfigPropertyItem {
  return {
    id: isCustom ? `custom.${path}` : path,
    path,
    name: path,
    isCustom,
    // A name may be made of labels.
    process: path === 'displayName' ? displayNameOverrideProcessor : identityOverrideProcessor,
    shouldApply: () => true,
    editor: () => null,
    override: () => null,
  } as unknown as FieldConfigPropertyItem;
}

export const registry = new FieldConfigOptionsRegistry(() => [
  ...STANDARD.map((path) => item(path, false)),
  ...CUSTOM.map((path) => item(path, true)),
]);

/** The options of a panel's fields that no picture would show. */
export function unknown(fieldConfig: any): string[] {
  const { custom = {}, ...standard } = fieldConfig.defaults ?? {};
  const ids = [
    ...Object.keys(standard),
    ...Object.keys(custom).map((name) => `custom.${name}`),
    ...(fieldConfig.overrides ?? []).flatMap((override: any) => override.properties.map((p: any) => p.id)),
  ];
  return ids.filter((id) => registry.getIfExists(id) === undefined);
}
