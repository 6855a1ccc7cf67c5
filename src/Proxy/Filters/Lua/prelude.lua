-- Runs once in each machine before the script: takes away what reaches outside, gives what scripts for Lua 5.1 (LuaJIT) expect, and makes the classes of the objects that the proxy
-- hands out. A native function never raises an error itself: its first result says whether the rest is the answer (nil), an error's text (1), or must be waited for (2).
local native, classes, seed = ...
local error, select, type, rawget, rawset, setmetatable, pcall, load, tostring = error, select, type, rawget, rawset, setmetatable, pcall, load, tostring
local yield, next, ipairs, math, string, table = coroutine.yield, next, ipairs, math, string, table
local pack, unpack_ = table.pack, table.unpack

local function finish(code, ...)
  if code == nil then return ... end
  if code == 1 then error((...), 2) end
  return finish(yield())
end

local function method(name)
  local call = native[name]
  return function(...) return finish(call(...)) end
end

-- Sandbox: no files, no processes, no bytecode, no finalizers (which would run outside of the budget).
dofile, loadfile, require = nil, nil, nil
string.dump = nil
collectgarbage = function(what) return what == "count" and native.memory() or 0 end
_G.load = function(chunk, name, mode, ...)
  if select("#", ...) > 0 then return load(chunk, name, "t", (...)) end
  return load(chunk, name, "t")
end
_G.setmetatable = function(object, meta)
  local finalizer = type(meta) == "table" and rawget(meta, "__gc")
  if not finalizer then return setmetatable(object, meta) end
  rawset(meta, "__gc", nil)
  setmetatable(object, meta)
  rawset(meta, "__gc", finalizer)
  return object
end
-- A handler inside the machine's own xpcall runs while the budget is not watched.
function xpcall(f, handler, ...)
  local results = pack(pcall(f, ...))
  if results[1] then return unpack_(results, 1, results.n) end
  return false, handler(results[2])
end
local date, time, difftime = os.date, os.time, os.difftime
os = {
  clock = native.elapsed,
  date = function(format, at) return date(format or "%c", at or native.now()) end,
  difftime = difftime,
  time = function(at) if at then return time(at) end return native.now() end,
  getenv = function() return nil end,
}
function print(...)
  local parts = pack(...)
  for i = 1, parts.n do parts[i] = tostring(parts[i]) end
  native.log_info(nil, table.concat(parts, "\t"))
end
math.randomseed(seed)

-- Lua 5.1's names.
unpack = table.unpack
loadstring = function(code, name) return _G.load(code, name) end
table.getn = function(t) return #t end
table.maxn = function(t)
  local most = 0
  for k in next, t do if type(k) == "number" and k > most then most = k end end
  return most
end
table.foreach = function(t, f) for k, v in next, t do local r = f(k, v) if r ~= nil then return r end end end
table.foreachi = function(t, f) for i, v in ipairs(t) do local r = f(i, v) if r ~= nil then return r end end end
string.gfind = string.gmatch
math.pow = function(x, y) return x ^ y end
math.mod = math.fmod
math.log10 = function(x) return math.log(x, 10) end
math.ldexp = function(m, e) return m * 2.0 ^ e end
math.frexp = math.frexp or function(x)
  if x == 0 or x ~= x or x - x ~= 0 then return x, 0 end
  local e = math.floor(math.log(math.abs(x), 2)) + 1
  return x / 2.0 ^ e, e
end
math.cosh = function(x) return (math.exp(x) + math.exp(-x)) / 2 end
math.sinh = function(x) return (math.exp(x) - math.exp(-x)) / 2 end
math.tanh = function(x) local a, b = math.exp(x), math.exp(-x) return (a - b) / (a + b) end

-- Numbers print as in 5.1: a whole one without ".0", and %d cuts off a fraction.
local function whole(x) return math.type(x) == "float" and math.tointeger(x) or x end
_G.tostring = function(...)
  if math.type((...)) == "float" then return tostring(whole((...))) end
  return tostring(...)
end
local format = string.format
string.format = function(pattern, ...)
  for i = 1, select("#", ...) do
    local v = select(i, ...)
    if math.type(v) == "float" then
      local given, n = pack(...), 0
      for conversion in string.gmatch(string.gsub(pattern, "%%%%", ""), "%%[-+ #0-9.]*(%a)") do
        n = n + 1
        local x = given[n]
        if math.type(x) == "float" then
          if string.find("dixXocu", conversion, 1, true) then given[n] = math.tointeger(x) or math.tointeger(x < 0 and math.ceil(x) or math.floor(x)) or x
          elseif conversion == "s" then given[n] = whole(x) end
        end
      end
      return format(pattern, unpack_(given, 1, given.n))
    end
  end
  return format(pattern, ...)
end

-- LuaJIT's bit operations: 32 bits, signed results.
local function signed(x) x = x & 0xffffffff return x >= 0x80000000 and x - 0x100000000 or x end
local function int(x) return math.tointeger(x) or math.tointeger(math.floor(x + 0.5)) or 0 end
local function fold(f) return function(a, ...) a = int(a) for i = 1, select("#", ...) do a = f(a, int((select(i, ...)))) end return signed(a) end end
bit = {
  tobit = function(x) return signed(int(x)) end,
  bnot = function(x) return signed(~int(x)) end,
  band = fold(function(a, b) return a & b end),
  bor = fold(function(a, b) return a | b end),
  bxor = fold(function(a, b) return a ~ b end),
  lshift = function(x, n) return signed(int(x) << (int(n) & 31)) end,
  rshift = function(x, n) return signed((int(x) & 0xffffffff) >> (int(n) & 31)) end,
  arshift = function(x, n) return signed(signed(int(x)) // (1 << (int(n) & 31))) end,
  rol = function(x, n) x, n = int(x) & 0xffffffff, int(n) & 31 return signed((x << n) | (x >> (32 - n))) end,
  ror = function(x, n) x, n = int(x) & 0xffffffff, int(n) & 31 return signed((x >> n) | (x << (32 - n))) end,
  bswap = function(x) x = int(x) & 0xffffffff return signed((x >> 24) | ((x >> 8) & 0xff00) | ((x << 8) & 0xff0000) | (x << 24)) end,
  tohex = function(x, n)
    n = n and int(n) or 8
    local text = format(n < 0 and "%08X" or "%08x", int(x) & 0xffffffff)
    return string.sub(text, -(n < 0 and -n or n))
  end,
}
EnvoyTimestampResolution = { MILLISECOND = 0, MICROSECOND = 1 }

-- Classes. Every object can log.
local logs = { "logTrace", "logDebug", "logInfo", "logWarn", "logErr", "logCritical" }
local natives_of_logs = { "log_trace", "log_debug", "log_info", "log_warn", "log_err", "log_critical" }
local function class(name, methods, extra)
  local index = {}
  for i, log in ipairs(logs) do index[log] = method(natives_of_logs[i]) end
  for _, m in ipairs(methods) do index[m] = method(name .. "_" .. m) end
  local meta = extra or {}
  meta.__index, meta.__metatable, meta.__name = index, false, name
  classes[name] = meta
end

local function pairs_over(name)
  local begin, step = method(name .. "_begin"), method(name .. "_next")
  return function(self)
    begin(self)
    return function() return step(self) end
  end
end

local body_iterator = method("stream_nextChunk")
class("stream", { "headers", "body", "trailers", "metadata", "streamInfo", "connectionStreamInfo", "connection", "httpCall", "respond", "importPublicKey", "verifySignature",
  "base64Escape", "timestamp", "timestampString", "setUpstreamOverrideHost", "clearRouteCache", "filterContext", "virtualHost", "route", "log" })
local chunks = method("stream_bodyChunks")
classes.stream.__index.bodyChunks = function(self)
  chunks(self)
  return function() return body_iterator(self) end
end
class("headers", { "get", "getAtIndex", "getNumValues", "add", "replace", "remove", "setHttp1ReasonPhrase" }, { __pairs = pairs_over("headers") })
class("buffer", { "length", "getBytes", "setBytes" })
class("metadata", { "get" }, { __pairs = pairs_over("metadata") })
class("dynamicMetadata", { "get", "set" }, { __pairs = pairs_over("dynamicMetadata") })
class("filterState", { "get", "set" })
class("streamInfo", { "protocol", "routeName", "virtualClusterName", "downstreamDirectLocalAddress", "downstreamLocalAddress", "downstreamDirectRemoteAddress",
  "downstreamRemoteAddress", "dynamicMetadata", "dynamicTypedMetadata", "filterState", "downstreamSslConnection", "requestedServerName", "drainConnectionUponCompletion" })
class("connectionStreamInfo", { "dynamicMetadata", "dynamicTypedMetadata" })
class("connection", { "ssl" })
class("ssl", { "peerCertificatePresented", "peerCertificateValidated", "uriSanLocalCertificate", "sha256PeerCertificateDigest", "serialNumberPeerCertificate", "issuerPeerCertificate",
  "subjectPeerCertificate", "parsedSubjectPeerCertificate", "uriSanPeerCertificate", "subjectLocalCertificate", "urlEncodedPemEncodedPeerCertificate",
  "urlEncodedPemEncodedPeerCertificateChain", "dnsSansPeerCertificate", "dnsSansLocalCertificate", "oidsPeerCertificate", "oidsLocalCertificate", "validFromPeerCertificate",
  "expirationPeerCertificate", "sessionId", "ciphersuiteId", "ciphersuiteString", "tlsVersion" })
class("parsedName", { "commonName", "organizationName" })
class("publicKey", { "get" })
class("virtualHost", { "metadata" })
class("route", { "metadata" })
