-- Real work for the Lua guest: each part prints one line that depends on everything it computed.
local function part(name, ...) print(string.format("%-10s %s", name, table.concat({...}, " "))) end

local function hash(text)
  local h = 5381
  for i = 1, #text do h = (h * 33 ~ text:byte(i)) & 0xffffffff end
  return string.format("%08x", h)
end

local seed = 42
local function random(n)
  seed = (seed * 1103515245 + 12345) & 0x7fffffff
  return (seed >> 8) % n
end

do -- queens: recursion, tables as arrays
  local function queens(n)
    local columns, up, down, count = {}, {}, {}, 0
    local function place(row)
      if row > n then count = count + 1 return end
      for c = 1, n do
        if not (columns[c] or up[row + c] or down[row - c + n]) then
          columns[c], up[row + c], down[row - c + n] = true, true, true
          place(row + 1)
          columns[c], up[row + c], down[row - c + n] = nil, nil, nil
        end
      end
    end
    place(1)
    return count
  end
  part("queens", queens(6), queens(7), queens(8))
end

do -- mandelbrot: floating point
  local rows = {}
  for y = 0, 31 do
    local row = {}
    for x = 0, 63 do
      local cr, ci, zr, zi, n = x / 32 - 1.5, y / 16 - 1, 0.0, 0.0, 0
      while n < 50 and zr * zr + zi * zi < 4 do
        zr, zi, n = zr * zr - zi * zi + cr, 2 * zr * zi + ci, n + 1
      end
      row[#row + 1] = string.char(32 + n)
    end
    rows[#rows + 1] = table.concat(row)
  end
  part("mandelbrot", hash(table.concat(rows, "\n")))
end

do -- strings: building, patterns, formats, packing
  local words = {}
  for i = 1, 3000 do
    local syllables = {}
    for k = 1, 1 + random(4) do syllables[k] = ("kalomiturasenobi"):sub(1 + 2 * random(8)):sub(1, 2) end
    words[i] = table.concat(syllables)
  end
  local text = table.concat(words, " ")
  local counts, distinct = {}, {}
  for word in text:gmatch("%a+") do
    if not counts[word] then counts[word] = 0 distinct[#distinct + 1] = word end
    counts[word] = counts[word] + 1
  end
  table.sort(distinct, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  part("words", #distinct, distinct[1], counts[distinct[1]], hash(table.concat(distinct, ",")))
  local changed, n = text:gsub("(%a)(%a*)", function(first, rest) return first:upper() .. rest end)
  part("gsub", n, hash(changed), hash((text:gsub("[aeiou]", {a = "4", e = "3", o = "0"}))))
  part("format", string.format("%5.2f|%-8s|%08x|%q|%g|%i|%a", math.pi, "left", 48879, 'a "b"\n', 1e100, -7, 0.5))
  local packed = string.pack("<i4 >d z s2", -123456, 2.5, "zero", "counted")
  part("pack", hash(packed), string.unpack("<i4 >d z s2", packed))
  part("utf8", utf8.len("grüße, мир"), utf8.char(8364, 120), utf8.codepoint("ü", 1))
end

do -- objects: metatables, closures, varargs, integer and float division
  local Vector = {}
  Vector.__index = Vector
  Vector.__add = function(a, b) return setmetatable({x = a.x + b.x, y = a.y + b.y}, Vector) end
  Vector.__eq = function(a, b) return a.x == b.x and a.y == b.y end
  Vector.__lt = function(a, b) return a:length2() < b:length2() end
  Vector.__tostring = function(v) return "(" .. v.x .. "," .. v.y .. ")" end
  Vector.__call = function(v, factor) return setmetatable({x = v.x * factor, y = v.y * factor}, Vector) end
  function Vector:length2() return self.x * self.x + self.y * self.y end
  local sum = setmetatable({x = 0, y = 0}, Vector)
  for i = 1, 20000 do sum = sum + setmetatable({x = i % 7, y = -i % 5}, Vector) end
  part("objects", tostring(sum), tostring(sum(2)), tostring(sum == sum(1)), tostring(sum < sum(2)))
  local function compose(...)
    local functions = {...}
    return function(x)
      for _, f in ipairs(functions) do x = f(x) end
      return x
    end
  end
  local f = compose(function(x) return x // 3 end, function(x) return x % 1000 end, function(x) return x / 8 end)
  local total = 0
  for i = -5000, 5000 do total = total + f(i) end
  part("closures", total, -7 // 2, -7 % 3, 7.5 // 2, 1 << 62, math.maxinteger + 1 == math.mininteger and "wraps")
end

do -- sorting numbers, with the collector at work
  local list = {}
  for i = 1, 20000 do list[i] = random(1000000) end
  table.sort(list)
  local ordered = true
  for i = 2, #list do ordered = ordered and list[i - 1] <= list[i] end
  for _ = 1, 200 do local garbage = {} for k = 1, 100 do garbage[k] = {k} end end
  collectgarbage()
  part("sort", list[1], list[10000], list[20000], tostring(ordered), select("#", table.unpack(list, 1, 200)))
  local weak = setmetatable({}, {__mode = "v"})
  weak[1], weak[2] = {}, list
  collectgarbage()
  part("weak", tostring(weak[1]), tostring(weak[2] == list))
end

do -- files
  local file = assert(io.open("lua-output.txt", "w"))
  for i = 1, 500 do file:write("line ", i, "\t", i * i, "\n") end
  file:close()
  local lines, sum = 0, 0
  for line in io.lines("lua-output.txt") do
    lines = lines + 1
    sum = sum + tonumber(line:match("\t(%d+)$"))
  end
  file = io.open("lua-output.txt", "rb")
  local size = file:seek("end")
  file:seek("set", 5)
  local one, rest = file:read("n", "l")
  file:close()
  part("files", lines, sum, size, one, rest)
  part("missing", (select(2, io.open("no-such-file.txt"))))
  part("rename", tostring(os.rename("lua-output.txt", "lua-kept.txt")), tostring(os.remove("lua-output.txt")))
end

do -- chunks compiled at run time
  local f = load("local a, b = ... return a * b + #arg")
  part("load", f(6, 7), #string.dump(f) > 0 and "dumped")
end
