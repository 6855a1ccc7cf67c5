namespace Lateen.Bench.Load;

/// <summary>What nginx and HAProxy are told, to do the same work.</summary>
internal static class PeerConfigurations
{
    /// <summary>An answer of 880 bytes.</summary>
    public static string Backend(string folder, int port) =>
        $"daemon off; worker_processes 1; pid {folder}/backend.pid; error_log stderr error; events {{ worker_connections 4096; }}\n"
        + $"http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 3600s; server {{ listen 127.0.0.1:{port}; location "
            + $"/ {{ return 200 '{new string('x', 880)}'; }} }} }}";

    /// <summary>nginx with one worker.</summary>
    public static string Nginx(string folder, Work work, int port, int backend)
    {
        string head =
            $"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr error; events {{ worker_connections 8192; }}\n";
        if (work.IsTcp)
            return "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n" + head
                + $"stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{backend}; tcp_nodelay on; }} }}";
        string log = !work.IsFull ? "access_log off;"
            : "log_format m '[$time_iso8601] \"$request\" $status $bytes_sent $request_time $upstream_response_time "
                + "\"$http_x_forwarded_for\" \"$http_user_agent\" \"$request_id\" \"$host\" $upstream_addr $server_addr:$server_port "
                    + "$remote_addr:$remote_port'; "
                + $"access_log {folder}/nginx.log m buffer=64k flush=1s;";
        string more = work.IsFull
            ? "proxy_set_header X-Request-Id $request_id; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header "
                + "X-Forwarded-Proto $scheme;" : "";
        string pass = $"proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $host; {more}";
        string hosts = !work.IsFull ? "" : string.Concat(Enumerable.Range(0, 20).Select(i =>
            $"server {{ listen 127.0.0.1:{port}; server_name s{i} s{i}.default s{i}.default.svc.cluster.local; {string.Concat(Enumerable.Range(1, 4).Select(j => $"location /v{j} {{ {pass} }} "))}location / {{ {pass} }} }}\n"));
        return head
            + $"http {{ {log} keepalive_requests 100000000; keepalive_timeout 3600s; server_names_hash_bucket_size 128; "
                + $"proxy_temp_path {folder}; client_body_temp_path {folder}; "
            + $"upstream up {{ server 127.0.0.1:{backend}; keepalive 256; keepalive_requests 100000000; }} server {{ listen "
                + $"127.0.0.1:{port} default_server; location / {{ {pass} }} }}\n{hosts} }}";
    }

    /// <summary>HAProxy with one thread.</summary>
    public static string Haproxy(Work work, int port, int backend)
    {
        string mode = work.IsTcp ? "tcp" : "http";
        string full = !work.IsFull
            ? ""
            : "  option httplog\n  unique-id-format %{+X}o%ci:%cp_%fi:%fp_%Ts_%rt:%pid\n  unique-id-header X-Request-Id\n  option "
                + "forwardfor\n"
                + string.Concat(from i in Enumerable.Range(0, 20) from j in Enumerable.Range(1, 4)
                    select $"  use_backend up if {{ hdr(host) -i s{i} s{i}.default s{i}.default.svc.cluster.local }} {{ path_beg /v{j} }}\n");
        return $"global\n  nbthread 1\n  maxconn 8000\ndefaults\n  mode {mode}\n  timeout connect 5s\n  timeout client 1h\n  timeout "
            + $"server 1h\n"
            + (work.IsTcp ? "" : "  option http-keep-alive\n  http-reuse always\n")
            + $"frontend f\n  bind 127.0.0.1:{port}\n{full}  default_backend up\nbackend up\n  server s 127.0.0.1:{backend}\n";
    }
}
