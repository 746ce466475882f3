// Reads the compose file and the Kubernetes files as the programs that they are for do: with Docker Compose's own loader,
// with the types of Kubernetes and of the Prometheus operator, in which no field may be unknown, and with the checks of
// Kubernetes' Pod Security admission.
//
//	manifests FILE...
//
// It prints a line for each fault, and exits with 1 if there is one. A file with `services:` is a compose file. Of a pod
// the restricted level is asked.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

var kinds = map[string]func() any{
	"ConfigMap":      func() any { return &core.ConfigMap{} },
	"NetworkPolicy":  func() any { return &networking.NetworkPolicy{} },
	"Pod":            func() any { return &core.Pod{} },
	"PodMonitor":     func() any { return &monitoring.PodMonitor{} },
	"PrometheusRule": func() any { return &monitoring.PrometheusRule{} },
}

func main() {
	var faults []string
	for _, path := range os.Args[1:] {
		for _, fault := range faultsOf(path) {
			faults = append(faults, path+": "+fault)
		}
	}
	if len(faults) > 0 {
		fmt.Println(strings.Join(faults, "\n"))
		os.Exit(1)
	}
}

func faultsOf(path string) (faults []string) {
	text, err := os.ReadFile(path)
	if err != nil {
		return []string{err.Error()}
	}
	if bytes.Contains(text, []byte("\nservices:\n")) {
		return ofCompose(path)
	}
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		faults = append(faults, ofKubernetes(document)...)
	}
	return faults
}

func ofCompose(path string) []string {
	options, err := cli.NewProjectOptions([]string{path})
	if err == nil {
		_, err = options.LoadProject(context.Background())
	}
	if err != nil {
		return []string{err.Error()}
	}
	return nil
}

func ofKubernetes(document []byte) (faults []string) {
	var head struct {
		Kind     string
		Metadata struct{ Name string }
	}
	if err := yaml.Unmarshal(document, &head); err != nil {
		return []string{err.Error()}
	}
	made, known := kinds[head.Kind]
	if !known {
		return []string{fmt.Sprintf("no type for the kind %q", head.Kind)}
	}
	resource := made()
	if err := yaml.UnmarshalStrict(document, resource); err != nil {
		return []string{head.Metadata.Name + ": " + err.Error()}
	}
	if pod, is := resource.(*core.Pod); is {
		faults = ofSecurity(pod)
	}
	return faults
}

func ofSecurity(pod *core.Pod) (faults []string) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return []string{err.Error()}
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, result := range evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec) {
		if !result.Allowed {
			faults = append(faults, pod.Name+": "+result.ForbiddenReason+": "+result.ForbiddenDetail)
		}
	}
	return faults
}
