// What the user wrote, as objects: a kind is one row of a table, a resource is an envelope (names, labels, where it was written) around the
// kind's protobuf message, and the decoder makes resources out of texts. This is the only border between texts and resources.
//
// Resources are immutable and own nothing outside themselves; a change is a new resource. They say what was written, never what it means:
// defaults of Istio's API, merging and selection are Pilot's, existence is Registry's.
// Refused: a class per kind (the messages are there already, generated) and untyped trees behind the border (every reader would check
// again).
using System.Collections.Frozen;
using Google.Protobuf;
using Istio.Extensions.V1Alpha1;
using Istio.Meta.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Istio.Security.V1Beta1;
using Istio.Telemetry.V1Alpha1;
using Admission = Kubernetes.Admissionregistration.V1;
using Apps = Kubernetes.Apps.V1;
using Core = Kubernetes.Core.V1;
using Discovery = Kubernetes.Discovery.V1;
using GatewayApi = Kubernetes.Gateway.V1;
using GatewayApiX = Kubernetes.Gateway.X;
using Ingresses = Kubernetes.Networking.V1;
using MultiCluster = Kubernetes.Multicluster.V1Alpha1;

namespace Lateen.Config.Resources;

/// <summary>Every kind that the mesh reads.</summary>
public static class Kinds
{
    private const string Networking = "networking.istio.io";
    private const string Security = "security.istio.io";
    private const string GatewayGroup = "gateway.networking.k8s.io";
    private const string ExperimentalGatewayGroup = "gateway.networking.x-k8s.io";
    private static readonly string[] StableIstio = ["v1", "v1beta1", "v1alpha3"];
    private static readonly string[] StableSecurity = ["v1", "v1beta1"];
    private static readonly string[] V1 = ["v1"];

    // ---- Istio ----
    public static readonly ResourceKind<VirtualService> VirtualService =
        Istio<VirtualService>(Networking, StableIstio, "VirtualService", "virtualservices", "vs");
    public static readonly ResourceKind<DestinationRule> DestinationRule =
        Istio<DestinationRule>(Networking, StableIstio, "DestinationRule", "destinationrules", "dr");
    public static readonly ResourceKind<Gateway> Gateway = Istio<Gateway>(Networking, StableIstio, "Gateway", "gateways", "gw");
    public static readonly ResourceKind<ServiceEntry> ServiceEntry =
        new(() => new ServiceEntryStatus())
        {
            Group = Networking,
            Versions = StableIstio,
            Name = "ServiceEntry",
            Plural = "serviceentries",
            ShortNames = ["se"],
        };
    public static readonly ResourceKind<WorkloadEntry> WorkloadEntry =
        Istio<WorkloadEntry>(Networking, StableIstio, "WorkloadEntry", "workloadentries", "we");
    public static readonly ResourceKind<WorkloadGroup> WorkloadGroup =
        Istio<WorkloadGroup>(Networking, StableIstio, "WorkloadGroup", "workloadgroups", "wg");
    public static readonly ResourceKind<Sidecar> Sidecar = Istio<Sidecar>(Networking, StableIstio, "Sidecar", "sidecars");
    public static readonly ResourceKind<EnvoyFilter> EnvoyFilter =
        Istio<EnvoyFilter>(Networking, ["v1alpha3"], "EnvoyFilter", "envoyfilters");
    public static readonly ResourceKind<Istio.Networking.V1Beta1.ProxyConfig> ProxyConfig =
        Istio<Istio.Networking.V1Beta1.ProxyConfig>(Networking, ["v1beta1"], "ProxyConfig", "proxyconfigs");
    public static readonly ResourceKind<PeerAuthentication> PeerAuthentication =
        Istio<PeerAuthentication>(Security, StableSecurity, "PeerAuthentication", "peerauthentications", "pa");
    public static readonly ResourceKind<RequestAuthentication> RequestAuthentication =
        Istio<RequestAuthentication>(Security, StableSecurity, "RequestAuthentication", "requestauthentications", "ra");
    public static readonly ResourceKind<AuthorizationPolicy> AuthorizationPolicy =
        Istio<AuthorizationPolicy>(Security, StableSecurity, "AuthorizationPolicy", "authorizationpolicies", "ap", "authz");
    public static readonly ResourceKind<Telemetry> Telemetry =
        Istio<Telemetry>("telemetry.istio.io", ["v1", "v1alpha1"], "Telemetry", "telemetries", "telemetry");
    public static readonly ResourceKind<WasmPlugin> WasmPlugin =
        Istio<WasmPlugin>("extensions.istio.io", ["v1alpha1"], "WasmPlugin", "wasmplugins");
    public static readonly ResourceKind<TrafficExtension> TrafficExtension =
        Istio<TrafficExtension>("extensions.istio.io", ["v1alpha1"], "TrafficExtension", "trafficextensions");

    // ---- Kubernetes ----
    public static readonly ResourceKind<Core.Service> Service = Cluster<Core.Service>("", V1, "Service", "services", "svc");
    public static readonly ResourceKind<Core.Endpoints> Endpoints = Crowd<Core.Endpoints>("", V1, "Endpoints", "endpoints", "ep");
    public static readonly ResourceKind<Discovery.EndpointSlice> EndpointSlice =
        Crowd<Discovery.EndpointSlice>("discovery.k8s.io", ["v1", "v1beta1"], "EndpointSlice", "endpointslices");
    public static readonly ResourceKind<Core.Pod> Pod = Crowd<Core.Pod>("", V1, "Pod", "pods", "po");
    public static readonly ResourceKind<Core.Namespace> Namespace = Cluster<Core.Namespace>("", V1, "Namespace", "namespaces", false, "ns");
    public static readonly ResourceKind<Core.Node> Node = Cluster<Core.Node>("", V1, "Node", "nodes", false, "no");
    public static readonly ResourceKind<Core.ServiceAccount> ServiceAccount =
        Cluster<Core.ServiceAccount>("", V1, "ServiceAccount", "serviceaccounts", "sa");
    public static readonly ResourceKind<Core.ConfigMap> ConfigMap = Cluster<Core.ConfigMap>("", V1, "ConfigMap", "configmaps", "cm");
    public static readonly ResourceKind<Core.Secret> Secret = Cluster<Core.Secret>("", V1, "Secret", "secrets");
    public static readonly ResourceKind<Apps.Deployment> Deployment =
        Cluster<Apps.Deployment>("apps", V1, "Deployment", "deployments", "deploy");
    public static readonly ResourceKind<Apps.ReplicaSet> ReplicaSet = Crowd<Apps.ReplicaSet>("apps", V1, "ReplicaSet", "replicasets", "rs");
    public static readonly ResourceKind<Apps.StatefulSet> StatefulSet =
        Cluster<Apps.StatefulSet>("apps", V1, "StatefulSet", "statefulsets", "sts");
    public static readonly ResourceKind<Apps.DaemonSet> DaemonSet = Cluster<Apps.DaemonSet>("apps", V1, "DaemonSet", "daemonsets", "ds");
    public static readonly ResourceKind<Admission.MutatingWebhookConfiguration> MutatingWebhookConfiguration =
        Cluster<Admission.MutatingWebhookConfiguration>("admissionregistration.k8s.io", V1, "MutatingWebhookConfiguration",
            "mutatingwebhookconfigurations", false);
    public static readonly ResourceKind<Admission.ValidatingWebhookConfiguration> ValidatingWebhookConfiguration =
        Cluster<Admission.ValidatingWebhookConfiguration>("admissionregistration.k8s.io", V1, "ValidatingWebhookConfiguration",
            "validatingwebhookconfigurations", false);
    public static readonly ResourceKind<Ingresses.Ingress> Ingress = new()
    {
        Group = "networking.k8s.io", Versions = V1, Name = "Ingress", Plural = "ingresses", ShortNames = ["ing"], MessageIsSpec =
            false, Model = KindModel.Partial,
    };
    public static readonly ResourceKind<Ingresses.IngressClass> IngressClass = new()
    {
        Group = "networking.k8s.io", Versions = V1, Name = "IngressClass", Plural = "ingressclasses", IsNamespaced = false, MessageIsSpec =
            false, Model = KindModel.Partial,
    };

    // ---- Gateway API ----
    public static readonly ResourceKind<GatewayApi.GatewayClass> GatewayClass =
        Routes<GatewayApi.GatewayClass>(GatewayGroup, ["v1", "v1beta1"], "GatewayClass", "gatewayclasses", false, "gc");
    public static readonly ResourceKind<GatewayApi.Gateway> KubernetesGateway =
        Routes<GatewayApi.Gateway>(GatewayGroup, ["v1", "v1beta1"], "Gateway", "gateways", true, "gtw");
    public static readonly ResourceKind<GatewayApi.HTTPRoute> HTTPRoute =
        Routes<GatewayApi.HTTPRoute>(GatewayGroup, ["v1", "v1beta1"], "HTTPRoute", "httproutes");
    public static readonly ResourceKind<GatewayApi.GRPCRoute> GRPCRoute =
        Routes<GatewayApi.GRPCRoute>(GatewayGroup, ["v1", "v1alpha2"], "GRPCRoute", "grpcroutes");
    public static readonly ResourceKind<GatewayApi.TCPRoute> TCPRoute =
        Routes<GatewayApi.TCPRoute>(GatewayGroup, ["v1", "v1alpha2"], "TCPRoute", "tcproutes");
    public static readonly ResourceKind<GatewayApi.TLSRoute> TLSRoute =
        Routes<GatewayApi.TLSRoute>(GatewayGroup, ["v1", "v1alpha3", "v1alpha2"], "TLSRoute", "tlsroutes");
    public static readonly ResourceKind<GatewayApi.UDPRoute> UDPRoute = new()
    {
        Group = GatewayGroup, Versions = ["v1",
            "v1alpha2"], Name = "UDPRoute", Plural = "udproutes", MessageIsSpec = false, Model = KindModel.Extensible, HasEffect = false,
    };
    public static readonly ResourceKind<GatewayApi.ReferenceGrant> ReferenceGrant =
        Routes<GatewayApi.ReferenceGrant>(GatewayGroup, ["v1beta1", "v1"], "ReferenceGrant", "referencegrants", true, "refgrant");
    public static readonly ResourceKind<GatewayApi.BackendTLSPolicy> BackendTLSPolicy =
        Routes<GatewayApi.BackendTLSPolicy>(GatewayGroup, ["v1", "v1alpha3"], "BackendTLSPolicy", "backendtlspolicies", true, "btlspolicy");
    public static readonly ResourceKind<GatewayApi.ListenerSet> ListenerSet =
        Routes<GatewayApi.ListenerSet>(GatewayGroup, V1, "ListenerSet", "listenersets", true, "lset");
    public static readonly ResourceKind<GatewayApiX.XBackendTrafficPolicy> XBackendTrafficPolicy =
        Routes<GatewayApiX.XBackendTrafficPolicy>(ExperimentalGatewayGroup, ["v1alpha1"], "XBackendTrafficPolicy",
            "xbackendtrafficpolicies", true, "xbtrafficpolicy");
    public static readonly ResourceKind<GatewayApiX.XBackend> XBackend =
        Routes<GatewayApiX.XBackend>(ExperimentalGatewayGroup, ["v1alpha1"], "XBackend", "xbackends");
    public static readonly ResourceKind<Kubernetes.Inference.V1.InferencePool> InferencePool =
        Routes<Kubernetes.Inference.V1.InferencePool>("inference.networking.k8s.io", V1, "InferencePool", "inferencepools", true,
            "infpool");
    public static readonly ResourceKind<MultiCluster.ServiceExport> ServiceExport =
        Routes<MultiCluster.ServiceExport>("multicluster.x-k8s.io", ["v1alpha1"], "ServiceExport", "serviceexports", true, "svcex");
    public static readonly ResourceKind<MultiCluster.ServiceImport> ServiceImport =
        Routes<MultiCluster.ServiceImport>("multicluster.x-k8s.io", ["v1alpha1"], "ServiceImport", "serviceimports", true, "svcim");

    /// <summary>All kinds, Istio's first.</summary>
    public static readonly IReadOnlyList<ResourceKind> All =
    [
        VirtualService, DestinationRule, Gateway, ServiceEntry, WorkloadEntry, WorkloadGroup, Sidecar, EnvoyFilter, ProxyConfig,
        PeerAuthentication, RequestAuthentication, AuthorizationPolicy, Telemetry, WasmPlugin, TrafficExtension,
        Service, Endpoints, EndpointSlice, Pod, Namespace, Node, ServiceAccount, ConfigMap, Secret, Deployment, ReplicaSet, StatefulSet,
        DaemonSet,
        MutatingWebhookConfiguration, ValidatingWebhookConfiguration, Ingress, IngressClass,
        GatewayClass, KubernetesGateway, HTTPRoute, GRPCRoute, TCPRoute, TLSRoute, UDPRoute, ReferenceGrant, BackendTLSPolicy, ListenerSet,
        XBackendTrafficPolicy, XBackend, InferencePool, ServiceExport, ServiceImport,
    ];

    private static readonly FrozenDictionary<(string Group, string Name), ResourceKind> ByName =
        All.ToFrozenDictionary(k => (k.Group, k.Name));

    /// <summary>The kind of a group, or null.</summary>
    public static ResourceKind? Find(string group, string name) => ByName.GetValueOrDefault((group, name));

    /// <summary>The kind that a person means by a word: kind, plural or short name in any case, with the group after a dot or without.
    /// Istio's kinds come first.</summary>
    public static ResourceKind? FindByWord(string word)
    {
        var dot = word.IndexOf('.', StringComparison.Ordinal);
        var (name, group) = dot < 0 ? (word, null) : (word[..dot], word[(dot + 1)..]);
        return All.FirstOrDefault(k => (group is null || group.Equals(k.Group, StringComparison.OrdinalIgnoreCase)) && IsNamed(k, name));
    }

    /// <summary>Whether the group is one whose kinds all stand here, so that an unknown kind of it is a mistake.</summary>
    public static bool IsOwnGroup(string group) =>
        (group.EndsWith(".istio.io", StringComparison.Ordinal) && group != "install.istio.io")
            || group is GatewayGroup or ExperimentalGatewayGroup;

    private static bool IsNamed(ResourceKind kind, string word) =>
        Same(kind.Name, word) || Same(kind.Plural, word) || kind.ShortNames.Any(s => Same(s, word));

    private static bool Same(string a, string b) => a.Equals(b, StringComparison.OrdinalIgnoreCase);

    private static ResourceKind<T> Istio<T>(string group, IReadOnlyList<string> versions, string name, string plural,
        params string[] shortNames)
        where T : class, IMessage<T>, new() =>
        new(() => new IstioStatus()) { Group = group, Versions = versions, Name = name, Plural = plural, ShortNames = shortNames };

    private static ResourceKind<T> Cluster<T>(string group, IReadOnlyList<string> versions, string name, string plural,
        params string[] shortNames)
        where T : class, IMessage<T>, new() => Cluster<T>(group, versions, name, plural, true, shortNames);

    private static ResourceKind<T> Cluster<T>(string group, IReadOnlyList<string> versions, string name, string plural, bool isNamespaced,
        params string[] shortNames)
        where T : class, IMessage<T>, new() =>
        new()
        {
            Group = group, Versions = versions, Name = name, Plural = plural, ShortNames = shortNames, IsNamespaced = isNamespaced,
            Model = KindModel.Partial, MessageIsSpec = false, IsConfiguration = false,
        };

    private static ResourceKind<T> Crowd<T>(string group, IReadOnlyList<string> versions, string name, string plural,
        params string[] shortNames)
        where T : class, IMessage<T>, new() =>
        new()
        {
            Group = group, Versions = versions, Name = name, Plural = plural, ShortNames = shortNames,
            Model = KindModel.Partial, MessageIsSpec = false, IsConfiguration = false, KeepsText = false,
        };

    private static ResourceKind<T> Routes<T>(string group, IReadOnlyList<string> versions, string name, string plural,
        bool isNamespaced = true, params string[] shortNames)
        where T : class, IMessage<T>, new() =>
        new()
        {
            Group = group, Versions = versions, Name = name, Plural = plural, ShortNames = shortNames, IsNamespaced = isNamespaced,
            Model = KindModel.Extensible, MessageIsSpec = false,
        };
}
