-- wrk -s bench/pipeline.lua URL -- DEPTH: sends DEPTH requests (16 by default) at once, and waits for
-- all their replies before it sends the next ones.
init = function(args)
  local requests = {}
  for i = 1, tonumber(args[1]) or 16 do
    requests[i] = wrk.format()
  end
  batch = table.concat(requests)
end

request = function()
  return batch
end
