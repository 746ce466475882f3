// What the driver hands over: a dashboard as it is shipped, and what Prometheus answered to its queries.

import { Field, FieldType, MutableDataFrame, DataFrame, createDataFrame } from '@grafana/data';

export interface Target {
  refId: string;
  format: 'time_series' | 'table';
  range: boolean;
  interval?: string;
  legendFormat: string;
}

export interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: Target[];
  // The fields of `fieldConfig`, `options` and `transformations` are those of @grafana/data.
  fieldConfig: any;
  options: any;
  transformations?: any[];
}

export interface Series {
  metric: Record<string, string>;
  value?: [number, string];
  values?: Array<[number, string]>;
}

export interface Answer {
  step: number;
  result: Series[];
}

export interface Input {
  board: { title: string; panels: Panel[] };
  /** Milliseconds since the epoch. */
  from: number;
  to: number;
  /** By panel's id, then by refId. */
  answers: Record<string, Record<string, Answer>>;
}

/** The name of a series, as Grafana's Prometheus data source makes it of the legend's format. */
function legend(format: string, labels: Record<string, string>): string {
  return format.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, name: string) => labels[name] ?? '');
}

function number(text: string): number {
  return text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text);
}

function lines(target: Target, answer: Answer): DataFrame[] {
  return answer.result.map((series) => {
    const points = series.values ?? (series.value ? [series.value] : []);
    const name = legend(target.legendFormat, series.metric);
    return createDataFrame({
      refId: target.refId,
      name,
      fields: [
        {
          name: 'Time',
          type: FieldType.time,
          values: points.map(([time]) => time * 1000),
          // By this, gaps are left where no point is.
          config: target.range ? { interval: answer.step * 1000 } : {},
        },
        {
          name: 'Value',
          type: FieldType.number,
          values: points.map(([, value]) => number(value)),
          labels: series.metric,
          config: { displayNameFromDS: name },
        },
      ],
    });
  });
}

function table(target: Target, answer: Answer): DataFrame[] {
  if (answer.result.length === 0) {
    return [];
  }
  const labels = [...new Set(answer.result.flatMap((series) => Object.keys(series.metric)))].sort();
  return [
    createDataFrame({
      refId: target.refId,
      fields: [
        { name: 'Time', type: FieldType.time, values: answer.result.map((series) => series.value![0] * 1000) },
        ...labels.map((label) => ({
          name: label,
          type: FieldType.string,
          values: answer.result.map((series) => series.metric[label] ?? ''),
          config: { filterable: true },
        })),
        { name: 'Value', type: FieldType.number, values: answer.result.map((series) => number(series.value![1])) },
      ],
    }),
  ];
}

/** The frames of a panel, as Grafana's Prometheus data source makes them. */
export function frames(panel: Panel, answers: Record<string, Answer>): DataFrame[] {
  return (panel.targets ?? []).flatMap((target) => {
    const answer = answers[target.refId];
    return target.format === 'table' ? table(target, answer) : lines(target, answer);
  });
}
